//! What stands around a body: paths, queries and headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use understudy::adapters::store::keys;
use understudy::functions::active::{Asked, WAIT_LIMIT, is_known};
use understudy::functions::groups::{self, Filter, PAGE, Page};
use understudy::functions::guard::stranger;
use understudy::functions::input::Params;
use understudy::functions::router::matched;
use understudy::functions::who::{self, actor};
use understudy::model::name::GroupName;

use super::dice::Dice;
use super::{Meant, check_refusal, meant, seeds};

const KEYS: &[&str] = &[
    "top", "next", "wait", "after", "min", "tenant", "phase", "verdict", "TOP", "code", "",
    "to%70", "x",
];
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "7",
    "100",
    "101",
    "-1",
    "+7",
    "1.5",
    "1e400",
    "18446744073709551615",
    "18446744073709551616",
    "1180591620717411303424",
    "0x7",
    "%37",
    "7,7",
    "7,8",
    ",",
    "moving",
    "Settled",
    "healthy",
    "unhealthy,unknown",
    "dancing",
    "60s",
    "121s",
    "2m",
    "1h",
    "-5s",
    "0s",
    "1m1m",
    "99999999999999h",
    "Y29udG9zbw",
    "Y29udG9zbw==",
    "!!",
    "%F0",
    "%00",
    "%ff%fe",
    "%",
    "%2",
    "%ZZ",
    "a+b",
    "%D9%A7",
    "contoso",
];
const PATHS: &[&str] = &[
    "/api/groups",
    "/api/groups/contoso",
    "/api/groups/contoso/active",
    "/API/Groups/CONTOSO/History/",
    "/api/groups/%2e%2e/active",
    "/api/groups/a%2Fb/active",
    "/api/groups/%00/active",
    "/api//groups",
    "//",
    "/",
    "/api/groups/../alerts",
    "/HealthCheck",
    "*",
];

/// A path with a query.
pub fn query(data: &[u8]) {
    let text = match meant(data) {
        Meant::AsItIs(bytes) => format!(
            "/api/groups/contoso/active?{}",
            String::from_utf8_lossy(bytes)
        ),
        Meant::Choices(mut dice) => {
            let path = (*dice.pick(PATHS)).to_owned();
            let pairs: Vec<String> = (0..dice.below(5)).map(|_| pair(&mut dice)).collect();
            format!("{path}?{}", pairs.join("&"))
        }
    };
    let Ok(uri) = text.parse::<Uri>() else {
        return;
    };
    check_path(&uri);
    let params = Params::of(&uri);
    match Asked::read(&params) {
        Err(fault) => check_refusal(fault),
        Ok(asked) => {
            assert!(asked.wait <= WAIT_LIMIT.unsigned_abs());
            assert!(asked.wait.is_zero() || asked.after.is_some());
        }
    }
    match Filter::read(&params) {
        Err(fault) => check_refusal(fault),
        Ok(filter) => {
            assert!(
                filter
                    .phases
                    .iter()
                    .all(|phase| ["moving", "settled"].contains(phase))
            );
            assert!(filter.tenants.iter().all(|tenant| !tenant.is_empty()));
        }
    }
    match Page::read(&params) {
        Err(fault) => check_refusal(fault),
        Ok(page) => check_page(&page),
    }
}

fn pair(dice: &mut Dice<'_>) -> String {
    let key = *dice.pick(KEYS);
    match dice.below(4) {
        0 => format!("{key}={}", URL_SAFE_NO_PAD.encode(dice.text())),
        1 => {
            let value: String = url_encoded(&dice.text());
            format!("{key}={value}")
        }
        _ => format!("{key}={}", dice.pick(VALUES)),
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The router's own form of a path says the same: it is lower case but for the group, and stays as it is.
fn check_path(uri: &Uri) {
    let Some(found) = matched(uri) else {
        return;
    };
    assert_eq!(found.query(), uri.query());
    assert!(
        matched(&found).is_none(),
        "{uri} became {found}, which is not final"
    );
    let trimmed = uri.path().trim_end_matches('/');
    assert!(
        found
            .path()
            .eq_ignore_ascii_case(if trimmed.is_empty() { "/" } else { trimmed })
    );
    let group = |uri: &Uri| uri.path().split('/').nth(3).map(str::to_owned);
    if found.path().starts_with("/api/groups/") {
        assert_eq!(group(&found), group(uri));
    }
    for part in uri.path().split('/') {
        if let Ok(name) = groups::name(part) {
            assert!((1..=63).contains(&name.as_str().len()));
        }
    }
}

/// A page is never empty and never too long, and begins after a key that is the list's own.
fn check_page(page: &Page) {
    assert!((1..=PAGE).contains(&page.top));
    let group = GroupName::from("contoso");
    if let Some(after) = &page.after {
        let ours = keys::is_history(&group, after);
        assert!(!ours || after.starts_with("history.contoso."));
    }
}

const HEADERS: &[&str] = &[
    "if-none-match",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "x-ms-client-principal-id",
    "content-type",
    "content-length",
    "host",
    "user-agent",
    "x-forwarded-for",
    "x-functions-key",
    "x-azure-functions-invocationid",
    "x-azure-functions-hostversion",
    "x-azure-fdid",
    "x-arr-log-id",
    "cookie",
    "authorization",
    "transfer-encoding",
    "expect",
    "x-other",
];
const HEADER_VALUES: &[&str] = &[
    "",
    "\"7-3\"",
    "W/\"7-3\"",
    "w/\"7-3\"",
    "\"7\", \"7-3\"",
    "*",
    "**",
    ",",
    "\"7-3",
    "7-3",
    "\"7-3\"\t",
    "W/",
    "\"a,\"7-3\"\"",
    "127.0.0.1:7071",
    "localhost",
    "[::1]:80",
    "app.azurewebsites.net",
    "127.0.0.1.example.com",
    ":",
    "127.0.0.1:80:80",
    "Azure-Functions-Host/4.1",
    "azure-functions-host/4.1",
    "-1",
    "18446744073709551616",
    "5, 6",
    "application/json",
    "chunked",
    "text/html; charset=klingon",
];
/// Each of these makes a call somebody else's than the host's.
const STRANGE: &[&str] = &[
    "x-forwarded-for",
    "x-functions-key",
    "x-arr-log-id",
    "x-azure-fdid",
    "cookie",
    "authorization",
    "x-ms-client-principal",
];

/// The headers of a request.
pub fn headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    match meant(data) {
        Meant::AsItIs(lines) => {
            for line in lines.split(|byte| *byte == b'\n') {
                let at = line
                    .iter()
                    .position(|byte| *byte == b':')
                    .unwrap_or(line.len());
                let (name, value) = line.split_at(at);
                add(&mut headers, name, value.get(1..).unwrap_or_default());
            }
        }
        Meant::Choices(mut dice) => {
            for _ in 0..dice.below(6) {
                let name = *dice.pick(HEADERS);
                let value = header_value(&mut dice);
                add(&mut headers, name.as_bytes(), &value);
            }
        }
    }
    check_headers(&headers);
}

fn header_value(dice: &mut Dice<'_>) -> Vec<u8> {
    match dice.below(5) {
        0 => dice.text().into_bytes(),
        1 => STANDARD
            .encode(format!(
                r#"{{"auth_typ":"aad","claims":[{{"typ":"name","val":{:?}}}]}}"#,
                dice.text()
            ))
            .into_bytes(),
        2 => (0..dice.below(9)).map(|_| dice.byte()).collect(),
        _ => dice.pick(HEADER_VALUES).as_bytes().to_vec(),
    }
}

fn add(headers: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

fn check_headers(headers: &HeaderMap) {
    let mut texts = headers
        .get_all("if-none-match")
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let names_tag = texts.any(|text| text.contains("\"7-3\"") || text.contains('*'));
    assert!(names_tag || !is_known(headers, "\"7-3\""), "{headers:?}");

    assert_eq!(
        actor(headers, false),
        who::KEY,
        "nobody is believed where nobody vouches"
    );
    let name = actor(headers, true);
    assert!(
        !name.trim().is_empty() && name.chars().count() <= 200,
        "{name:?}"
    );
    assert!(!name.contains(char::is_control), "{name:?}");
    let names_somebody = ["x-ms-client-principal-name", "x-ms-client-principal-id"]
        .iter()
        .any(|one| headers.contains_key(*one));
    assert!(
        names_somebody || name == who::KEY,
        "the claims alone are not read: {name}"
    );

    let bell: Uri = Uri::from_static("/HealthCheck");
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name));
    assert!(
        !is_strange || stranger(headers, &bell).is_some(),
        "{headers:?}"
    );
    assert!(stranger(headers, &Uri::from_static("/HealthCheck?code=k")).is_some());
    if stranger(headers, &bell).is_none() {
        let host = headers
            .get("host")
            .map_or("localhost", |host| host.to_str().unwrap());
        assert!(
            ["127.0.0.1", "localhost", "[::1]"]
                .iter()
                .any(|name| host.starts_with(name)),
            "{host}"
        );
    }
}

pub fn query_seeds() -> Vec<Vec<u8>> {
    let queries = [
        "top=7&next=Y29udG9zbw",
        "after=7&wait=60s&min=3",
        "tenant=a,b&phase=moving&verdict=healthy&code=k",
    ];
    seeds(queries.map(|query| query.as_bytes().to_vec()))
}

pub fn header_seeds() -> Vec<Vec<u8>> {
    let blocks = [
        "host:127.0.0.1:7071\nuser-agent:Azure-Functions-Host/4.1\nx-azure-functions-invocationid:1",
        "if-none-match:W/\"7-3\", \"8\"\nx-ms-client-principal-name:ada@example.com\nx-ms-client-principal:eyJ4IjoxfQ==",
    ];
    seeds(blocks.map(|block| block.as_bytes().to_vec()))
}
