//! What deciding costs: `decide` for a group in each kind of situation, the folding of a round into the
//! evidence, and the heartbeat row of ten thousand groups. In process, without any IO.
//!
//! `--decisions N` decides N times on the quiet group and nothing else, for counting instructions.

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use support::figures::{median, ratio, short, thousands};
use support::table::{Table, machine};
use support::{Try, play, say, turns};
use understudy::adapters::store::heartbeat::{self, Heartbeat};
use understudy::adapters::store::rows::Row;
use understudy::decision::{Observation, decide, evidence};
use understudy::model::evidence::GroupEvidence;
use understudy::model::name::GroupName;
use understudy::model::policy::Policy;
use understudy::model::sample::{Outcome, Reading, Round, Streaming, TokenFact};
use understudy::model::spec::{AccountSpec, GroupSpec, HttpSpec, SiteSpec, VideoIndexerSpec};
use understudy::model::state::GroupState;

/// How often each piece of work has its turn.
const TURNS: usize = 41;
/// One turn is about this long.
const TURN: Duration = Duration::from_millis(20);
/// From one round to the next.
const ROUND: SignedDuration = SignedDuration::from_secs(30);
/// Groups in the heartbeat row.
const GROUPS: usize = 10_000;

fn main() -> Try {
    let mut words = std::env::args().skip_while(|word| word != "--decisions");
    if words.next().is_some() {
        return decisions(words.next().ok_or("--decisions N")?.parse()?);
    }
    play(measure)
}

/// A piece of work that is repeated, and what once takes, in nanoseconds, turn by turn.
struct Work<'a> {
    name: String,
    once: Box<dyn FnMut() + 'a>,
    /// What is divided by: the groups that it is done for at once.
    groups: f64,
    taken: Vec<f64>,
}

impl<'a> Work<'a> {
    fn new(name: &str, once: impl FnMut() + 'a) -> Self {
        Self {
            name: name.to_owned(),
            once: Box::new(once),
            groups: 1.0,
            taken: Vec::new(),
        }
    }

    fn over(mut self, groups: usize) -> Self {
        self.groups = groups as f64;
        self
    }

    /// Seconds for so many times.
    fn time(&mut self, times: u32) -> f64 {
        let begun = Instant::now();
        for _ in 0..times {
            (self.once)();
        }
        begun.elapsed().as_secs_f64()
    }

    fn turn(&mut self, times: u32) {
        let nanoseconds = self.time(times) * 1e9;
        self.taken
            .push(nanoseconds / f64::from(times) / self.groups);
    }

    /// How many times fill a turn.
    fn times(&mut self) -> u32 {
        let mut times = 1;
        loop {
            let seconds = self.time(times);
            if seconds >= TURN.as_secs_f64() / 2.0 {
                let wanted = f64::from(times) * TURN.as_secs_f64() / seconds;
                return wanted.max(1.0) as u32;
            }
            times *= 2;
        }
    }
}

/// One group as a pass sees it.
struct Scene {
    state: GroupState,
    evidence: GroupEvidence,
    spec: GroupSpec,
    now: Timestamp,
}

impl Scene {
    fn observation(&self) -> Observation<'_> {
        Observation {
            evidence: Some(&self.evidence),
            signals: &[],
            signals_are_current: true,
            order: None,
            reports: &[],
            moving_elsewhere: 0,
            process: "0192b3c4-0000-7000-8000-000000000001",
            move_id: "0192b3c4-0000-7000-8000-000000000002",
        }
    }

    fn decide(&self) -> understudy::decision::Decision {
        decide(&self.state, &self.observation(), &self.spec, self.now)
    }
}

/// Two runs that differ in nothing but this number tell what one decision costs, however busy the machine.
fn decisions(times: u32) -> Try {
    let (quiet, ..) = scenes()?;
    for _ in 0..times {
        black_box(black_box(&quiet).decide());
    }
    Ok(())
}

fn measure() -> Try {
    let (quiet, failing, moves) = scenes()?;
    machine();
    println!(
        "In process on one thread, {} turns of {} ms each, in turn; medians of the time for one group, ratios turn by turn \
         (least to greatest).\n",
        turns(TURNS),
        TURN.as_millis()
    );
    let next_at = quiet.evidence.newest_at + ROUND;
    let round = round_of(&quiet.spec, next_at, &[Outcome::Ok, Outcome::Ok]);
    let before = &quiet.evidence;
    let mut small = vec![
        Work::new("copying the record (what is compared with)", || {
            black_box(black_box(&quiet.state).clone());
        }),
        Work::new("`decide`, quiet: every site healthy, nothing to do", || {
            black_box(black_box(&quiet).decide());
        }),
        Work::new("`decide`, failing: unhealthy, the hold time runs", || {
            black_box(black_box(&failing).decide());
        }),
        Work::new("`decide`, moves: failover, flip and history entry", || {
            black_box(black_box(&moves).decide());
        }),
        Work::new("folding one round into the evidence", || {
            black_box(evidence::fold(
                Some(before),
                black_box(&round),
                &quiet.spec.policy,
            ));
        }),
    ];
    compare(&mut small, "decide");
    report(
        "one group of two sites, a Video Indexer account and an HTTP endpoint each",
        &small,
    );
    heartbeats(&quiet)
}

/// A group in each of three situations, each of which is checked to be what it is called.
fn scenes() -> Try<(Scene, Scene, Scene)> {
    const WELL: [Outcome; 2] = [Outcome::Ok, Outcome::Ok];
    const BROKEN: [Outcome; 2] = [Outcome::Failed, Outcome::Ok];
    let spec = spec();
    let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let answer = spec.sites.first().ok_or("a group has sites")?.answer();
    let scene = |state: &GroupState, evidence: GroupEvidence| Scene {
        state: state.clone(),
        now: evidence.newest_at + SignedDuration::from_secs(1),
        evidence,
        spec: spec.clone(),
    };
    let well = evidence_of(&spec, None, start, 5, &WELL);
    let quiet = scene(&GroupState::new(answer, start), well.clone());
    let decision = quiet.decide();
    if decision.next != quiet.state || decision.hold.is_some() {
        return Err("the quiet group is not quiet".into());
    }
    let later = well.newest_at + ROUND;
    let failed = evidence_of(&spec, Some(well), later, 4, &BROKEN);
    let noticed = scene(&quiet.state, failed.clone()).decide().next;
    let failing = scene(&noticed, failed.clone());
    let decision = failing.decide();
    if decision.next != failing.state || decision.hold.is_none() {
        return Err("the failing group is not held".into());
    }
    let later = failed.newest_at + ROUND;
    let moves = scene(
        &noticed,
        evidence_of(&spec, Some(failed), later, 4, &BROKEN),
    );
    let decision = moves.decide();
    if decision.next.generation != 1 || decision.history.is_empty() {
        return Err("the group that moves does not move".into());
    }
    Ok((quiet, failing, moves))
}

fn spec() -> GroupSpec {
    let site = |region: &str| SiteSpec {
        name: region.into(),
        region: region.to_owned(),
        accounts: vec![
            AccountSpec::VideoIndexer(VideoIndexerSpec {
                subscription_id: "00000000-0000-0000-0000-000000000000".to_owned(),
                resource_group: format!("media-{region}"),
                account_name: format!("contoso-{region}"),
                account_id: "11111111-1111-1111-1111-111111111111".to_owned(),
                api_base: "https://api.videoindexer.ai".to_owned(),
                arm_base: "https://management.azure.com".to_owned(),
                stuck_after: SignedDuration::from_mins(60),
                stuck_fails: false,
            }),
            AccountSpec::Http(HttpSpec {
                name: "captions".to_owned(),
                url: format!("https://captions-{region}.example.com/health"),
                endpoint: format!("https://captions-{region}.example.com"),
                expect_status: vec![200],
                expect_body: None,
            }),
        ],
    };
    GroupSpec {
        name: "contoso".into(),
        tenant: None,
        policy: Policy::default(),
        sites: vec![site("westeurope"), site("northeurope")],
    }
}

/// One round; each site's accounts all end alike.
fn round_of(spec: &GroupSpec, started_at: Timestamp, outcomes: &[Outcome]) -> Round {
    let mut readings = understudy::model::name::ByAccount::new();
    for (site, outcome) in spec.sites.iter().zip(outcomes) {
        for (index, key) in site.probed().enumerate() {
            let failed = *outcome == Outcome::Failed;
            let reading = Reading {
                outcome: *outcome,
                latency_ms: 40 + index as u32,
                detail: failed.then(|| "timed out after 10 s".to_owned()),
                host: format!("{}-{}.example.com:443", key.name, site.region),
                token: TokenFact::NotNeeded,
                streaming: Streaming::default(),
            };
            readings.insert(key, reading);
        }
    }
    Round {
        started_at,
        asked_twice: false,
        control_failed: None,
        must_run: None,
        readings,
    }
}

/// The evidence after so many more rounds.
fn evidence_of(
    spec: &GroupSpec,
    before: Option<GroupEvidence>,
    first: Timestamp,
    rounds: u32,
    outcomes: &[Outcome],
) -> GroupEvidence {
    let one = |before: Option<&GroupEvidence>, index: u32| {
        let round = round_of(spec, first + ROUND * index as i32, outcomes);
        evidence::fold(before, &round, &spec.policy)
    };
    let begun = one(before.as_ref(), 0);
    (1..rounds).fold(begun, |known, index| one(Some(&known), index))
}

/// What a vantage of many such groups writes; times and latencies differ from group to group, as they do.
fn beat_of(quiet: &Scene) -> Heartbeat {
    let mut evidence = BTreeMap::new();
    for index in 0..GROUPS {
        let mut seen = quiet.evidence.clone();
        let late = SignedDuration::from_millis((index * 7 % 9_973) as i64);
        seen.newest_at += late;
        for (account, (_, known)) in seen.accounts.iter_mut().enumerate() {
            known.newest.at += late;
            known.newest.latency_ms = (20 + (index * 31 + account * 17) % 211) as u32;
            known.newest.host = format!("tenant-{index:05}-{account}.example.com:443");
        }
        evidence.insert(GroupName::new(format!("tenant-{index:05}")), Arc::new(seen));
    }
    Heartbeat {
        vantage: "francecentral".into(),
        began_at: quiet.now,
        ended_at: quiet.now,
        not_covered: Vec::new(),
        not_covered_count: 0,
        evidence,
    }
}

fn heartbeats(quiet: &Scene) -> Try {
    let beat = beat_of(quiet);
    let (properties, _) = heartbeat::encode(&beat, "0192b3c4-0000-7000-8000-000000000003")?;
    let bytes = serde_json::to_vec(&properties)?.len();
    let row = Row {
        key: understudy::adapters::store::keys::heartbeat(&beat.vantage),
        etag: "1".to_owned(),
        properties,
    };
    heartbeat::decode(&row).map_err(|problem| format!("the row cannot be read: {problem}"))?;
    let mut large = vec![
        Work::new("copying the evidence (what is compared with)", || {
            black_box(black_box(&beat).clone());
        })
        .over(GROUPS),
        Work::new("packing the heartbeat row", || {
            let _ = black_box(heartbeat::encode(black_box(&beat), "id"));
        })
        .over(GROUPS),
        Work::new("unpacking it", || {
            let _ = black_box(heartbeat::decode(black_box(&row)));
        })
        .over(GROUPS),
    ];
    compare(&mut large, "heartbeat");
    let title = format!(
        "the heartbeat row of {} such groups: {} KiB as it is sent",
        thousands(GROUPS as f64),
        thousands(bytes as f64 / 1024.0)
    );
    report(&title, &large);
    Ok(())
}

fn compare(works: &mut [Work<'_>], name: &str) {
    let times: Vec<u32> = works.iter_mut().map(Work::times).collect();
    let turns = turns(TURNS);
    say(&format!("{name}: {turns} turns"));
    for _ in 0..turns {
        for (work, times) in works.iter_mut().zip(&times) {
            work.turn(*times);
        }
    }
}

fn report(title: &str, works: &[Work<'_>]) {
    let mut table = Table::new(&[title, "ns per group", "least", "ratio to copying"]);
    for (index, work) in works.iter().enumerate() {
        let base = works.first().filter(|_| index > 0);
        table.row(&[
            &work.name,
            &short(median(work.taken.iter().copied())),
            &short(work.taken.iter().copied().fold(f64::INFINITY, f64::min)),
            &base.map_or_else(String::new, |base| ratio(&work.taken, &base.taken)),
        ]);
    }
    table.print();
}
