//! The bytes of the timer's envelope, and which answers the host takes.

use understudy::local::envelope::{Firing, Status, read_answer};

fn firing(status: Option<Status>) -> String {
    Firing {
        function: "HealthCheck",
        binding: "timer",
        adjust_for_dst: true,
        status,
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
    };
    let body = firing(Some(status));
    assert!(body.contains(r#""Last":"0001-01-01T00:00:00","#), "{body}");
    assert!(
        body.contains(r#""LastUpdated":"0001-01-01T00:00:00""#),
        "{body}"
    );
}

#[test]
fn the_answers_that_count() {
    let good = read_answer(
        200,
        "application/json; charset=utf-8",
        br#"{"outputs":{},"logs":["a",1],"ReturnValue":null}"#,
    );
    assert_eq!(good.unwrap(), ["a", "1"]);
    assert_eq!(
        read_answer(200, "application/json", b"{}").unwrap(),
        Vec::<String>::new()
    );
    for (status, kind, body, why) in [
        (500, "application/json", &b"{}"[..], "answered 500"),
        (204, "application/json", b"", "empty body"),
        (200, "application/json", b"null", "empty body"),
        (200, "text/plain", b"{}", "content type"),
        (200, "application/json", b"[1]", "no JSON object"),
        (200, "application/json", b"{", "not valid JSON"),
        (
            200,
            "application/json",
            br#"{"Logs":[{}]}"#,
            "must hold strings",
        ),
        (
            200,
            "application/json",
            br#"{"Logs":"x"}"#,
            "must be a list",
        ),
    ] {
        let error = read_answer(status, kind, body).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
