//! Orders, and the host's envelopes.

use std::sync::LazyLock;

use serde_json::{Value, json};
use understudy::functions::health_check::Envelope;
use understudy::functions::input;
use understudy::functions::order::{OrderBody, REASON_LIMIT, checked};
use understudy::model::order::{OrderKind, PAUSE_LIMIT};
use understudy::model::spec::GroupSpec;

use super::alert_bodies::group;
use super::dice::Dice;
use super::nasty::edited;
use super::{Meant, check_refusal, meant, seeds};

static GROUP: LazyLock<GroupSpec> = LazyLock::new(group);

static ORDERS: LazyLock<[Value; 3]> = LazyLock::new(|| {
    [
        json!({"reason": "the region is down", "to": "northeurope", "force": true, "dryRun": false, "ifGeneration": 7}),
        json!({"reason": "we work on it", "for": "1h30m"}),
        json!({"to": "westeurope", "ifGeneration": 0, "dryRun": true}),
    ]
});

/// Forms of a timer's envelope that real hosts have sent.
static ENVELOPES: LazyLock<[Value; 3]> = LazyLock::new(|| {
    let metadata = json!({"sys": {"MethodName": "HealthCheck", "UtcNow": "2026-09-24T13:09:00.0123456Z",
        "RandGuid": "fa3b2fbc-26ed-4fcb-be75-82db8773b519"},
        "RetryContext": {"RetryCount": 0, "MaxRetryCount": 3, "Exception": null, "Instance": null, "State": {}}});
    let timer = |status: Value, late: Value| {
        json!({"Data": {"timer": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": late}},
            "Metadata": metadata})
    };
    [
        timer(
            json!({"Last": "0001-01-01T00:00:00", "Next": "2026-09-24T13:09:00+00:00",
            "LastUpdated": "2026-09-24T13:08:00.0096035+00:00"}),
            json!(true),
        ),
        timer(Value::Null, json!(false)),
        json!({"Data": {"timer": "\"{\\\"IsPastDue\\\":true}\""}, "Metadata": metadata}),
    ]
});

fn made(dice: &mut Dice<'_>, good: &[Value]) -> Vec<u8> {
    let mut body = edited(dice.pick(good), dice).into_bytes();
    dice.damage(&mut body);
    body
}

/// An order's body, read as every kind of order.
pub fn order(data: &[u8]) {
    let body = match meant(data) {
        Meant::AsItIs(body) => body.to_vec(),
        Meant::Choices(mut dice) => made(&mut dice, &ORDERS[..]),
    };
    let sent = match input::json::<OrderBody>(&body) {
        Ok(sent) => sent,
        Err(fault) => return check_refusal(fault),
    };
    for kind in OrderKind::ALL {
        let order = match checked(kind, &sent, &GROUP) {
            Ok(order) => order,
            Err(fault) => {
                check_refusal(fault);
                continue;
            }
        };
        assert_eq!(order.kind, kind);
        assert!(!kind.needs_reason() || order.reason.is_some());
        if let Some(reason) = &order.reason {
            assert!(!reason.trim().is_empty() && reason.chars().count() <= REASON_LIMIT);
            assert!(!reason.contains(|one: char| one.is_control() && !"\r\n\t".contains(one)));
        }
        assert!(order.to.is_none_or(|to| GROUP.site(&to).is_some()));
        assert!(order.lasting.is_none_or(|length| {
            kind == OrderKind::Pause && length.is_positive() && length <= PAUSE_LIMIT
        }));
    }
}

/// The body of the host's call.
pub fn envelope(data: &[u8]) {
    let body = match meant(data) {
        Meant::AsItIs(body) => body.to_vec(),
        Meant::Choices(mut dice) => made(&mut dice, &ENVELOPES[..]),
    };
    match Envelope::read(&body) {
        Err(fault) => check_refusal(fault),
        Ok(envelope) => {
            let late = envelope.is_past_due();
            // What is read is an object with an object for its data, and nothing else is.
            let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
            let Ok(whole) = serde_json::from_slice::<Value>(body) else {
                // What nobody looks at may hold what is no text.
                return;
            };
            let data = whole
                .as_object()
                .and_then(|whole| whole["Data"].as_object());
            let says_late = data
                .unwrap()
                .values()
                .any(|input| input["IsPastDue"] == true);
            assert_eq!(late, says_late);
        }
    }
}

pub fn order_seeds() -> Vec<Vec<u8>> {
    seeds(ORDERS.iter().map(|body| body.to_string().into_bytes()))
}

pub fn envelope_seeds() -> Vec<Vec<u8>> {
    seeds(ENVELOPES.iter().map(|body| body.to_string().into_bytes()))
}
