//! The bodies that docs/alerts.md tells people to send are ones that do what the page says.

use super::*;

/// The bodies of the page, with what a shell would put in.
fn bodies_of_the_page() -> Vec<Alert> {
    let page = include_str!("../../docs/alerts.md")
        .replace("'$subscription'", bodies::SUBSCRIPTION)
        .replace("'$fired'", "2026-03-01T11:59:00Z")
        .replace("'$(date -u +%FT%TZ)'", "2026-03-01T11:59:00Z");
    page.split("-d '")
        .skip(1)
        .map(|rest| {
            let (body, after) = rest.split_once('\'').expect("a quoted body ends");
            let answer = after.lines().nth(1).expect("its answer follows");
            assert_eq!(answer, r#"{"matched":["contoso"],"ignored":[]}"#);
            read(body.as_bytes(), now()).expect(body)
        })
        .collect()
}

#[test]
fn what_the_page_sends_is_evidence_against_the_first_site() {
    let alerts = bodies_of_the_page();
    assert_eq!(alerts.len(), 2);
    for alert in alerts {
        let found = matches(&alert, &bodies::group(), None);
        assert_eq!(found.len(), 1, "{alert:?}");
        assert_eq!(
            (found[0].site.as_str(), &found[0].recorded_only),
            ("westeurope", &None)
        );
    }
}
