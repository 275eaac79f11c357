//! What a tick may cost: requests to the store, tokens, and nothing at all for a lookup's write.

use understudy::sim::{Kind, World};

use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{Stage, counted_round, get, quick};
use crate::table_proxy::Proxy;

/// Requests to the table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    reads: usize,
    writes: usize,
}

/// The requests since the last look.
fn asked(proxy: &Proxy) -> Asked {
    let seen = proxy.take_seen();
    let reads = seen.iter().filter(|line| line.starts_with("GET ")).count();
    Asked {
        reads,
        writes: seen.len() - reads,
    }
}

/// This many groups with an HTTP endpoint in each of two regions.
fn endpoints(groups: usize) -> World {
    let regions = ["westeurope", "northeurope"];
    let mut world = World::with_regions(&regions);
    for index in 0..groups {
        let group = format!("tenant-{index:04}");
        for region in regions {
            world.add_endpoint(Some(&group), region, &group, 200, "well");
        }
    }
    world
}

/// A stage whose requests to the store are counted, and a process that has made every row. Its groups are probed this
/// often, in seconds; a sweep that takes longer writes in several waves.
async fn settled(world: World, interval: i64) -> (Stage, Handler, Proxy) {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let options = quick()
        .policy("probe_interval", format!("{interval}s"))
        .policy("latency_limit", "10s")
        .policy("probe_timeout", "10s");
    let stage = Stage::set_at(world, options, proxy.port).await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    proxy.take_seen();
    (stage, timer, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tick_writes_once_and_reads_little() {
    let (stage, timer, proxy) = settled(endpoints(50), 1).await;
    for round in 0..3 {
        all_are_due(&stage, 1).await;
        let before = stage.sim.count(Kind::Endpoint);
        // What is fired before its time is a tick too, and writes nothing.
        until_counted(&timer, &proxy, |asked| {
            assert_eq!(asked.writes, 1, "round {round}: {asked:?}");
            assert!(asked.reads <= 8, "round {round}: {asked:?}");
        })
        .await;
        assert_eq!(
            stage.sim.count(Kind::Endpoint) - before,
            100,
            "all are probed"
        );
    }

    // Two hundred lookups: none writes, and what is fresh is not read again.
    let other = stage.handler().await;
    let looks = (0..200).map(|index| {
        let path = format!("/api/groups/tenant-{:04}/active", index % 50);
        let other = &other;
        async move { get(other, &path).await }
    });
    get(&other, "/api/groups").await;
    proxy.take_seen();
    let shown = futures::future::join_all(looks).await;
    assert!(shown.iter().all(|shown| shown["site"] == "westeurope"));
    let asked = asked(&proxy);
    assert_eq!(asked.writes, 0, "{asked:?}");
    assert!(asked.reads <= 50, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_of_hundreds_of_groups_share_their_reads() {
    let (stage, _timer, proxy) = settled(endpoints(500), INTERVAL).await;
    let other = stage.handler().await;
    // What it read at its start serves for two seconds.
    crate::stage::until("answers are too old", async || {
        proxy.take_seen();
        get(&other, "/api/groups/tenant-0000/active").await;
        (asked(&proxy).reads > 0).then_some(())
    })
    .await;
    let looks = (0..500).map(|index| {
        let path = format!("/api/groups/tenant-{index:04}/active");
        let other = &other;
        async move { get(other, &path).await }
    });
    let shown = futures::future::join_all(looks).await;
    assert!(shown.iter().all(|shown| shown["stale"] == false));
    let asked = asked(&proxy);
    assert_eq!(asked.writes, 0, "{asked:?}");
    // 32 by themselves, then all together, unless that takes more than two seconds.
    assert!(asked.reads < 50, "{asked:?}");
}

/// Of two thousand groups, in seconds: the longest wave, so that also on a slow machine one sweep is one wave.
const INTERVAL: i64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tick_over_two_thousand_groups_writes_once_and_reads_little() {
    let (stage, timer, proxy) = settled(endpoints(2000), INTERVAL).await;
    assert_eq!(stage.rows_of("group").await.len(), 2000);
    all_are_due(&stage, INTERVAL).await;
    until_counted(&timer, &proxy, |asked| {
        assert_eq!(asked.writes, 1, "{asked:?}");
        assert!(asked.reads <= 30, "{asked:?}");
    })
    .await;
    assert!(stage.sim.peak_in_flight() <= 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_once() {
    let world = World::fleet(20, &["westeurope", "northeurope"], 4);
    let (stage, timer, _proxy) = settled(world, 1).await;
    for _ in 0..3 {
        all_are_due(&stage, 1).await;
        counted_round(&timer).await;
    }
    assert_eq!(stage.sim.count(Kind::Token), 1, "one audience, one token");
    assert_eq!(stage.sim.count(Kind::Mint), 40, "one for each account");
    for index in [0, 7, 19] {
        for region in ["westeurope", "northeurope"] {
            let name = format!("vi-{index:04}-{region}");
            assert_eq!(stage.sim.count_of(Kind::Mint, &name), 1, "{name}");
            assert_eq!(stage.sim.count_of(Kind::List, &name), 4, "every round");
        }
    }
}

/// Waits until every group's next round would count. Groups are probed one after the other under a limit,
/// so a tick fired too soon finds only some of them due.
async fn all_are_due(stage: &Stage, interval: i64) {
    let beats = stage.rows_of("beat").await;
    let ended: jiff::Timestamp = beats[0].properties["endedAt"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let due = ended + jiff::SignedDuration::from_secs(interval);
    crate::stage::until("all are due", async || {
        (jiff::Timestamp::now() > due).then_some(())
    })
    .await;
}

/// Fires the timer until a round counts, and shows what that firing asked of the store.
async fn until_counted(timer: &Handler, proxy: &Proxy, look: impl Fn(Asked)) {
    crate::stage::until("a round counts", async || {
        proxy.take_seen();
        let counted = crate::stage::fire(timer).await;
        let asked = asked(proxy);
        if counted {
            look(asked);
            return Some(());
        }
        assert_eq!(asked.writes, 0, "{asked:?}");
        None
    })
    .await;
}
