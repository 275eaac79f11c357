//! The bytes of the timer's envelope, and which answers the host takes.

use serde_json::{Value, json};
use understudy::local::envelope::{Answer, Attempt, Firing, Outcome, read_answer};
use understudy::local::monitor::Status;

fn firing(status: Option<Status>) -> String {
    attempted(status, None)
}

fn attempted(status: Option<Status>, attempt: Option<Attempt>) -> String {
    Firing {
        function: "HealthCheck",
        binding: "timer",
        adjust_for_dst: true,
        status,
        attempt,
        past_due: false,
        now: "2026-09-24T13:09:00.0123456Z".parse().unwrap(),
        guid: "fa3b2fbc-26ed-4fcb-be75-82db8773b519".parse().unwrap(),
    }
    .body()
    .unwrap()
}

const METADATA: &str = r#""Metadata":{"sys":{"MethodName":"HealthCheck","UtcNow":"2026-09-24T13:09:00.0123456Z","RandGuid":"fa3b2fbc-26ed-4fcb-be75-82db8773b519"}}}"#;

#[test]
fn an_unmonitored_timer_has_no_status() {
    let expected = format!(
        r#"{{"Data":{{"timer":{{"Schedule":{{"AdjustForDST":true}},"ScheduleStatus":null,"IsPastDue":false}}}},{METADATA}"#
    );
    assert_eq!(firing(None), expected);
}

#[test]
fn times_are_written_as_dotnet_writes_them() {
    let status = Status {
        last: Some("2026-09-24T13:08:00.0096Z".parse().unwrap()),
        next: "2026-09-24T13:09:00Z".parse().unwrap(),
        updated: Some("2026-09-24T13:08:00.0096Z".parse().unwrap()),
    };
    let expected = format!(
        r#"{{"Data":{{"timer":{{"Schedule":{{"AdjustForDST":true}},"ScheduleStatus":{{"Last":"2026-09-24T13:08:00.0096+00:00","Next":"2026-09-24T13:09:00+00:00","LastUpdated":"2026-09-24T13:08:00.0096+00:00"}},"IsPastDue":false}}}},{METADATA}"#
    );
    assert_eq!(firing(Some(status)), expected);
}

#[test]
fn a_timer_that_never_ran_has_a_date_without_an_offset() {
    let status = Status {
        last: None,
        next: "2026-09-24T13:09:00Z".parse().unwrap(),
        updated: None,
    };
    let body = firing(Some(status));
    assert!(body.contains(r#""Last":"0001-01-01T00:00:00","#), "{body}");
    assert!(
        body.contains(r#""LastUpdated":"0001-01-01T00:00:00""#),
        "{body}"
    );
}

#[test]
fn a_policy_shows_from_the_first_attempt() {
    let context = |attempt| {
        let body: Value = serde_json::from_str(&attempted(None, Some(attempt))).unwrap();
        body["Metadata"]["RetryContext"].clone()
    };
    let first = Attempt {
        number: 0,
        times: Some(3),
        error: None,
    };
    assert_eq!(
        context(first),
        json!({"RetryCount": 0, "MaxRetryCount": 3, "Exception": null, "Instance": null, "State": {}})
    );
    let second = context(Attempt {
        number: 1,
        times: None,
        error: Some("no good".to_owned()),
    });
    assert_eq!(
        (&second["RetryCount"], &second["MaxRetryCount"]),
        (&json!(1), &json!(-1))
    );
    assert_eq!(second["Exception"]["Message"], "no good");
    assert!(!firing(None).contains("RetryContext"));
}

const JSON: Option<&str> = Some("application/json; charset=utf-8");

fn done(body: &str) -> Answer {
    match read_answer(200, JSON, body.as_bytes()) {
        Outcome::Done(answer) => answer,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn member_names_ignore_case_and_none_is_needed() {
    let answer = done(r#"{"outputs":{"res":7},"LOGS":["a",1,true],"ReturnValue":null,"more":[]}"#);
    assert_eq!(answer.logs, ["a", "1", "true"]);
    assert_eq!(answer.outputs["res"], 7);
    assert_eq!(answer.returned, None);
    assert_eq!(done("{}"), Answer::default());
    assert_eq!(done(r#"{"Outputs":null,"Logs":null}"#), Answer::default());
    assert_eq!(done(r#"{"returnvalue":"x"}"#).returned, Some(json!("x")));
}

#[test]
fn an_empty_answer_is_waited_for() {
    for (status, kind, body) in [
        (200, JSON, ""),
        (204, None, ""),
        (200, Some("text/plain"), ""),
        (200, JSON, "null"),
        (200, JSON, " null\n"),
    ] {
        let outcome = read_answer(status, kind, body.as_bytes());
        assert_eq!(outcome, Outcome::Hangs, "{status} {kind:?} {body}");
    }
}

#[test]
fn the_answers_that_fail_the_run() {
    for (status, kind, body, why, host) in [
        (
            500,
            JSON,
            "{}",
            "answered 500",
            "does not indicate success: 500",
        ),
        (302, JSON, "{}", "answered 302", "does not indicate success"),
        (
            200,
            Some("text/plain"),
            "{}",
            "content type",
            "No MediaTypeFormatter",
        ),
        (200, None, "{}", "octet-stream", "No MediaTypeFormatter"),
        (
            200,
            JSON,
            "[1]",
            "no JSON object",
            "Invalid HttpResponseMessage",
        ),
        (
            200,
            JSON,
            "7",
            "no JSON object",
            "Invalid HttpResponseMessage",
        ),
        (
            200,
            JSON,
            "{",
            "not valid JSON",
            "Invalid HttpResponseMessage",
        ),
        (
            200,
            JSON,
            r#"{"Logs":[{}]}"#,
            "must hold strings",
            "Invalid HttpResponseMessage",
        ),
        (
            200,
            JSON,
            r#"{"Logs":"x"}"#,
            "must be a list",
            "Invalid HttpResponseMessage",
        ),
        (
            200,
            JSON,
            r#"{"Outputs":[]}"#,
            "must be an object",
            "Invalid HttpResponseMessage",
        ),
    ] {
        let Outcome::Failed(error) = read_answer(status, kind, body.as_bytes()) else {
            panic!("{status} {body}");
        };
        assert!(error.contains(why) && error.contains(host), "{error}");
    }
    assert!(matches!(
        read_answer(200, Some("TEXT/JSON"), b"{}"),
        Outcome::Done(_)
    ));
}
