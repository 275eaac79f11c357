//! The scene: handlers over one store, called as the Functions host calls them, and a region that fails while alerts
//! and lookups come in.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use understudy::adapters::store::Store;
use understudy::adapters::store::embedded::EmbeddedStore;
use understudy::adapters::store::rows::{Row, RowStore};
use understudy::sim::World;
use understudy::sim::config::Options;

use super::alerts::{self, Message, Taken};
use super::check;
use super::lookups::{self, Asking, Seen};
use crate::handler::Handler;
use crate::stage::Stage;
use crate::support::process::local;
use crate::support::used::{Used, used_by};

/// Where every group begins, and where it moves to.
pub const REGIONS: [&str; 2] = ["westeurope", "northeurope"];
/// Subscriptions that the accounts are spread over.
const SUBSCRIPTIONS: usize = 4;
/// One group of so many has Video Indexer accounts beside its endpoints.
const INDEXING: usize = 10;
/// Before a tick that comes too early is tried again.
const LOOK: Duration = Duration::from_millis(100);

/// Where the record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In Azurite.
    Table,
    /// In a local file.
    Embedded,
}

/// How large all of it is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Groups, each with two HTTP endpoints, and every tenth with two Video Indexer accounts as well.
    pub groups: usize,
    /// Processes. The first one's timer is fired; alerts and lookups are spread over all.
    pub handlers: usize,
    /// Alerts in all.
    pub alerts: usize,
    /// Alerts per second.
    pub alerts_per_second: u32,
    /// The least number of lookups while the region fails; they go on until every group is seen elsewhere.
    pub lookups: usize,
    /// Lookups per second.
    pub lookups_per_second: u32,
    /// Lookups per second after that number.
    pub lookups_per_second_then: u32,
    /// The time between two rounds, in seconds.
    pub interval: u64,
    /// Where the record is.
    pub kept: Kept,
}

/// A scene whose groups are settled on the first region.
pub struct Scene {
    size: Size,
    stage: Stage,
    handlers: Vec<Handler>,
    rows: Arc<dyn RowStore>,
    _folder: tempfile::TempDir,
}

/// What came of the outage.
#[derive(Debug)]
pub struct Outage {
    /// What the clients saw.
    pub lookups: Seen,
    /// What became of the alerts.
    pub alerts: Taken,
    /// How long each tick took, in seconds.
    pub ticks: Vec<f64>,
    /// Ticks that were answered with anything but 200.
    pub failed_ticks: usize,
    messages: Rc<Vec<Message>>,
}

fn world(groups: usize) -> World {
    let mut world = World::fleet(groups.div_ceil(INDEXING), &REGIONS, SUBSCRIPTIONS);
    for index in 0..groups {
        let group = format!("tenant-{index:04}");
        for region in REGIONS {
            world.add_endpoint(Some(&group), region, &group, 200, "well");
        }
    }
    world
}

impl Scene {
    /// Starts everything and ticks until every group has a record and was probed.
    pub async fn set(size: Size) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options::default()
            .policy("probe_interval", format!("{}s", size.interval))
            .policy("hold", "1s");
        let options = match size.kept {
            Kept::Table => options,
            Kept::Embedded => options
                .store("kind", "embedded")
                .store("path", folder.path().to_str().expect("a plain path")),
        };
        let world = world(size.groups);
        let (stage, rows): (Stage, Arc<dyn RowStore>) = match size.kept {
            Kept::Table => {
                let stage = Stage::set(world, options).await;
                let rows = Arc::new(stage.rows());
                (stage, rows)
            }
            Kept::Embedded => (
                Stage::set_without_table(world, options).await,
                Arc::new(EmbeddedStore::new(Path::new(folder.path()))),
            ),
        };
        let mut handlers = Vec::new();
        for _ in 0..size.handlers {
            handlers.push(stage.handler().await);
        }
        let scene = Self {
            size,
            stage,
            handlers,
            rows,
            _folder: folder,
        };
        scene.settle().await;
        scene
    }

    /// Two ticks in which every group's round counted.
    async fn settle(&self) {
        for _ in 0..2 {
            let mut due = Instant::now();
            while !self.fire().await.1 {
                tokio::time::sleep(LOOK).await;
            }
            due += Duration::from_secs(self.size.interval);
            tokio::time::sleep_until(due.into()).await;
        }
    }

    /// Fires the timer once: whether the run was a success, and whether a round counted.
    async fn fire(&self) -> (bool, bool) {
        let (status, body) = self.handlers[0].fire(&[]).await;
        (status == 200, body.contains("the round counted"))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.handlers.iter().map(|one| local(one.port())).collect()
    }

    fn asking(&self, at_least: usize, until_all_on: Option<&str>) -> Asking {
        Asking {
            handlers: self.addresses(),
            groups: self.stage.sim.world().groups(),
            per_second: self.size.lookups_per_second,
            at_least,
            per_second_then: self.size.lookups_per_second_then,
            until_all_on: until_all_on.map(str::to_owned),
        }
    }

    /// Lookups while nothing else happens.
    pub async fn rest(&self, lookups: usize) -> Seen {
        lookups::begin(self.asking(lookups, None)).finish().await
    }

    /// Lookups while the timer fires, and all is well.
    pub async fn quiet(&self, lookups: usize) -> Seen {
        let running = lookups::begin(self.asking(lookups, None));
        self.while_ticking(running.finish()).await.0
    }

    /// The first region fails: alerts, lookups and the timer at once, until every alert is taken and clients are told
    /// of the move of every group.
    pub async fn outage(&self) -> Outage {
        let world = self.stage.sim.world();
        let messages = Rc::new(alerts::messages(world, REGIONS[0], self.size.alerts));
        self.stage.sim.break_region(REGIONS[0]);
        let running = lookups::begin(self.asking(self.size.lookups, Some(REGIONS[1])));
        let loading = async {
            let per_second = self.size.alerts_per_second;
            let taken = alerts::send(&self.addresses(), Rc::clone(&messages), per_second).await;
            (taken, running.finish().await)
        };
        let ((alerts, lookups), ticks, failed_ticks) = self.while_ticking(loading).await;
        Outage {
            lookups,
            alerts,
            ticks,
            failed_ticks,
            messages,
        }
    }

    /// Fires the timer while this is under way; what came of it, how long each tick took, how many failed.
    async fn while_ticking<T>(&self, work: impl Future<Output = T>) -> (T, Vec<f64>, usize) {
        let is_over = Cell::new(false);
        let working = async {
            let done = work.await;
            is_over.set(true);
            done
        };
        let ticking = async {
            let (mut ticks, mut failed) = (Vec::new(), 0);
            while !is_over.get() {
                let began = Instant::now();
                let (is_success, _) = self.fire().await;
                ticks.push(began.elapsed().as_secs_f64());
                failed += usize::from(!is_success);
                let next = began + Duration::from_secs(self.size.interval);
                while !is_over.get() && Instant::now() < next {
                    tokio::time::sleep(LOOK).await;
                }
            }
            (ticks, failed)
        };
        let (done, (ticks, failed)) = tokio::join!(working, ticking);
        (done, ticks, failed)
    }

    /// What is wrong after the outage: with the answers, and with what the store holds.
    pub async fn faults(&self, outage: &Outage) -> Vec<String> {
        let store = Store::new(Arc::clone(&self.rows));
        let kept = store.alerts().await.expect("the store answers");
        let records = self.rows_of("group").await;
        let history = self.rows_of("history").await;
        let groups = self.stage.sim.world().groups();
        let mut faults = outage.lookups.answers.faults.clone();
        faults.extend(outage.alerts.answers.faults.iter().cloned());
        faults.extend(check::alerts(&outage.messages, &outage.alerts, &kept));
        faults.extend(check::moves(&groups, REGIONS[1], &records, &history));
        faults
    }

    async fn rows_of(&self, kind: &str) -> Vec<Row> {
        let (from, to) = (format!("{kind}."), format!("{kind}0"));
        let rows = self.rows.scan(&from, &to).await;
        rows.expect("the store answers")
    }

    /// What each process has used.
    pub fn used(&self) -> Vec<Used> {
        let used = |one: &Handler| used_by(one.pid()).expect("it runs");
        self.handlers.iter().map(used).collect()
    }
}
