//! Azure Monitor in a bad hour: alerts of every kind at a steady rate, sent again until they are taken, and what
//! the handlers answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};
use understudy::adapters::alert;
use understudy::sim::World;

use super::Answers;
use super::pace::Pace;
use super::pool::Pool;
use crate::support::client::{Reply, Request};

/// An alert that was not taken is sent again this much later. Azure waits longer.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// An alert that was not taken after so many attempts is lost, as it is where Azure sends it.
const ATTEMPTS: usize = 60;
/// Of so many alerts in a row each has its place in the mixture.
const MIXTURE: usize = 20;

/// One alert as it is sent.
#[derive(Debug)]
pub struct Message {
    request: Request,
    /// What all messages on the same thing share.
    pub thread: String,
    /// The event's own time.
    pub event_at: Timestamp,
    /// The group that it must be matched with; `None` where it is nobody's.
    pub group: Option<String>,
}

/// What came of the alerts.
#[derive(Debug, Default)]
pub struct Taken {
    /// The answers, refusals included.
    pub answers: Answers,
    /// Which of the messages were taken.
    pub taken: Vec<usize>,
    /// Attempts that were refused with a reason, and made again.
    pub refused: usize,
}

/// The alerts of a regional outage. Of twenty: one is an update of the incident in Service Health (one thread for each
/// subscription), one a resource's health, one speaks of no group of ours, fourteen are rules on a group, half of
/// which name the site as well, and three are sent twice.
pub fn messages(world: &World, region: &str, count: usize) -> Vec<Message> {
    let groups = world.groups();
    // In whole milliseconds, as they are kept.
    let began = Timestamp::from_second(Timestamp::now().as_second()).expect("now")
        - SignedDuration::from_mins(10);
    let mut made: Vec<Message> = Vec::with_capacity(count);
    for index in 0..count {
        let event_at = began + SignedDuration::from_millis(i64::try_from(index).expect("few"));
        let accounts: Vec<_> = world
            .accounts
            .iter()
            .filter(|one| one.region == region)
            .collect();
        let account = accounts.get(index % accounts.len().max(1));
        let group = &groups[index % groups.len()];
        let (body, of) = match (index % MIXTURE, account) {
            (3 | 10 | 17, _) if index > 0 => {
                let before = made.last().expect("one before");
                made.push(Message {
                    request: before.request.clone(),
                    thread: before.thread.clone(),
                    event_at: before.event_at,
                    group: before.group.clone(),
                });
                continue;
            }
            (5, Some(account)) => (
                incident(&account.subscription_id, region, event_at),
                &account.group,
            ),
            (9, Some(account)) => (
                unavailable(&account.resource_id(), event_at),
                &account.group,
            ),
            (13, _) => (measured(index, "nobody", None, event_at), &None),
            (place, _) => {
                let site = (place % 2 == 0).then_some(region);
                (measured(index, group, site, event_at), &Some(group.clone()))
            }
        };
        made.push(message(&body, of.clone(), event_at));
    }
    made
}

fn message(body: &Value, group: Option<String>, event_at: Timestamp) -> Message {
    let text = body.to_string();
    let read = alert::read(text.as_bytes(), Timestamp::now()).expect("it is Azure's");
    Message {
        request: Request::post("/api/alerts", &text),
        thread: read.thread,
        event_at,
        group,
    }
}

/// An update of a subscription's incident in Service Health.
fn incident(subscription: &str, region: &str, event_at: Timestamp) -> Value {
    let impacted = json!([{
        "ServiceName": "Azure Applied AI Services \\ Azure Video Indexer",
        "ImpactedRegions": [{"RegionName": region}],
    }]);
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{event_at}"),
                "monitorCondition": "Fired", "monitoringService": "ServiceHealth",
                "alertTargetIDs": [format!("/subscriptions/{subscription}")],
                "firedDateTime": event_at,
            },
            "alertContext": {
                "channels": 1, "eventSource": 2, "level": 2, "claims": null, "eventTimestamp": event_at,
                "operationName": "Microsoft.ServiceHealth/incident/action",
                "properties": {
                    "incidentType": "Incident", "trackingId": format!("OUT-{subscription}"), "stage": "Active",
                    "communication": "<p>We are looking into it.</p>",
                    "impactedServices": impacted.to_string(),
                },
                "status": "Active",
            },
        },
    })
}

/// An account that Resource Health finds unavailable.
fn unavailable(resource: &str, event_at: Timestamp) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("{resource}/providers/Microsoft.AlertsManagement/alerts/{event_at}"),
                "monitorCondition": "Fired", "monitoringService": "Resource Health",
                "alertTargetIDs": [resource.to_lowercase()],
                "firedDateTime": event_at,
            },
            "alertContext": {
                "channels": "Admin, Operation", "eventSource": "ResourceHealth", "level": "Critical",
                "eventTimestamp": event_at,
                "operationName": "Microsoft.Resourcehealth/healthevent/Activated/action",
                "properties": {
                    "title": "The account is not reachable", "currentHealthStatus": "Unavailable",
                    "previousHealthStatus": "Available", "type": "Downtime", "cause": "PlatformInitiated",
                },
                "status": "Active",
            },
        },
    })
}

/// A rule of the group's own that fired.
fn measured(index: usize, group: &str, site: Option<&str>, event_at: Timestamp) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/0/providers/Microsoft.AlertsManagement/alerts/{index}"),
                "alertRule": "availability", "severity": "Sev1",
                "monitorCondition": "Fired", "monitoringService": "Platform",
                "alertTargetIDs": ["/subscriptions/0/resourceGroups/x/providers/microsoft.insights/components/y"],
                "firedDateTime": event_at,
            },
            "alertContext": {"properties": null, "condition": {"windowSize": "PT5M", "allOf": []}},
            "customProperties": {"understudyGroup": group, "understudySite": site},
        },
    })
}

/// Sends them at this rate, spread over the handlers, each until it is taken.
pub async fn send(handlers: &[SocketAddr], messages: Rc<Vec<Message>>, per_second: u32) -> Taken {
    let local = LocalSet::new();
    local
        .run_until(send_all(handlers, messages, per_second))
        .await
}

async fn send_all(handlers: &[SocketAddr], messages: Rc<Vec<Message>>, per_second: u32) -> Taken {
    let pools: Rc<Vec<Pool>> = Rc::new(handlers.iter().map(|at| Pool::to(*at)).collect());
    let taken = Rc::new(RefCell::new(Taken::default()));
    let mut pace = Pace::per_second(per_second);
    let mut under_way = JoinSet::new();
    for _ in 0..messages.len() {
        let number = pace.next().await;
        let (pools, messages, taken) = (Rc::clone(&pools), Rc::clone(&messages), Rc::clone(&taken));
        under_way.spawn_local(async move {
            // The two of a pair at different processes.
            let pool = &pools[number % pools.len()];
            until_taken(pool, number, &messages[number], &taken).await;
        });
        while under_way.try_join_next().is_some() {}
    }
    let offered_at = messages.len() as f64 / pace.elapsed();
    while under_way.join_next().await.is_some() {}
    let mut taken = taken.take();
    taken.answers.offered_at = offered_at;
    taken.answers.taken = pace.elapsed();
    taken
}

async fn until_taken(pool: &Pool, number: usize, message: &Message, taken: &RefCell<Taken>) {
    for _ in 0..ATTEMPTS {
        let asked_at = Instant::now();
        let reply = pool.ask(&message.request).await;
        let wait = asked_at.elapsed().as_secs_f64();
        let judged = match &reply {
            Ok(reply) => judge(reply, message),
            Err(error) => Err(format!("no answer after {wait:.3} s: {error}")),
        };
        {
            let mut taken = taken.borrow_mut();
            taken.answers.waits.push(wait);
            match judged {
                Ok(true) => {
                    taken.taken.push(number);
                    return;
                }
                Ok(false) => taken.refused += 1,
                Err(fault) => taken
                    .answers
                    .faults
                    .push(format!("alert {number}: {fault}")),
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    let fault = format!("alert {number} was not taken in {ATTEMPTS} attempts");
    taken.borrow_mut().answers.faults.push(fault);
}

/// Whether it was taken; else it must be told why, in the way of every error.
fn judge(reply: &Reply, message: &Message) -> Result<bool, String> {
    let body: Value = serde_json::from_str(&reply.body)
        .map_err(|error| format!("{}: {error}: {}", reply.status, reply.body))?;
    if reply.status == 200 {
        let matched = body["matched"]
            .as_array()
            .ok_or("an answer without `matched`")?;
        let is_right = match &message.group {
            None => matched.is_empty(),
            Some(group) => matched.iter().any(|one| one == group),
        };
        return if is_right {
            Ok(true)
        } else {
            Err(format!("it is for {:?}: {body}", message.group))
        };
    }
    let code = body["error"]["code"].as_str().unwrap_or_default();
    let has_reason = body["error"]["message"]
        .as_str()
        .is_some_and(|why| !why.is_empty());
    let is_told = !code.is_empty() && has_reason && reply.header("x-ms-error-code") == Some(code);
    if matches!(reply.status, 400..500 | 503) && is_told {
        Ok(false)
    } else {
        Err(format!("refused with {}: {}", reply.status, reply.body))
    }
}
