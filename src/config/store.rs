//! Where the record is kept. No message repeats a connection string.

use std::path::PathBuf;

use url::Url;

use super::node::{At, Source};
use super::pieces::{Section, good_url, unusable};
use super::report::{Report, shown};
use super::urls::{Purpose, is_loopback};
use super::{Env, raw};
use crate::model::deployment::{StoreSpec, TableAccess};
use crate::model::secret::Secret;

/// The storage of the Functions app itself: a connection string.
const HOST_STORAGE: &str = "AzureWebJobsStorage";
/// The same by identity: the account's name, or the table service's URL.
const HOST_ACCOUNT: &str = "AzureWebJobsStorage__accountName";
const HOST_TABLES: &str = "AzureWebJobsStorage__tableServiceUri";

/// Reads `[store]` at the top of the tree. `known`: the file could be read as far as this section goes;
/// `hurt`: an app setting for it had problems.
pub fn read(
    section: Section<raw::Store>,
    at: At<'_>,
    env: &Env,
    known: bool,
    hurt: bool,
    report: &mut Report,
) -> StoreSpec {
    let here = at.child("store");
    if section.hurt || hurt {
        return unusable(report, "[store] has problems");
    }
    let raw = section.good;
    let access_given = raw.endpoint.is_some() || raw.connection_string.is_some();
    let kind = raw.kind.unwrap_or(raw::StoreKind::Table);
    if !known && !access_given && kind == raw::StoreKind::Table {
        let message = "the file cannot be read, so where the record is kept is not known: mend the file, or set UNDERSTUDY__STORE__ENDPOINT or UNDERSTUDY__STORE__CONNECTION_STRING";
        return StoreSpec::Unusable(message.to_owned());
    }
    match kind {
        raw::StoreKind::Embedded => embedded(raw, here, env, report),
        raw::StoreKind::Table => table(raw, here, env, report),
    }
}

fn embedded(raw: raw::Store, at: At<'_>, env: &Env, report: &mut Report) -> StoreSpec {
    for key in ["endpoint", "connection_string", "table_prefix"] {
        if at.has(key) {
            report.warning(at.child(key), "is not used with kind embedded".to_owned());
        }
    }
    if env.contains_key("WEBSITE_SITE_NAME") {
        let message = "embedded keeps the record on this one machine: in Azure it is lost and not shared; use table";
        report.warning(at.child("kind"), message.to_owned());
    }
    let path = raw.path.unwrap_or_else(|| raw::STORE_PATH.to_owned());
    if path.trim().is_empty() {
        report.problem(at.child("path"), "is empty: name a folder".to_owned());
        return unusable(report, "store.path is empty");
    }
    StoreSpec::Embedded {
        path: PathBuf::from(path),
    }
}

fn table(raw: raw::Store, at: At<'_>, env: &Env, report: &mut Report) -> StoreSpec {
    let before = report.problems.len();
    if at.has("path") {
        report.warning(
            at.child("path"),
            "is used only with kind embedded".to_owned(),
        );
    }
    let prefix = raw
        .table_prefix
        .unwrap_or_else(|| raw::TABLE_PREFIX.to_owned());
    let table = format!("{prefix}state");
    if !is_table_name(&table) {
        let message = format!(
            "{} makes no table name: it must begin with a letter, hold only letters and digits (A-Z, a-z, 0-9), and be up to 58 long",
            shown(&prefix)
        );
        report.problem(at.child("table_prefix"), message);
    }
    let access = match (raw.endpoint, raw.connection_string) {
        (Some(endpoint), Some(text)) => both(&endpoint, text, at, report),
        (Some(endpoint), None) => identity(&endpoint, at, report),
        (None, Some(text)) => connection(text, at.child("connection_string"), report),
        (None, None) => host(at, env, report),
    };
    match access {
        Some(access) if report.problems.len() == before => StoreSpec::Table { access, table },
        None if report.problems.len() == before => {
            StoreSpec::Unusable("[store] does not say where the record is kept".to_owned())
        }
        _ => unusable(report, "[store] has problems"),
    }
}

/// An app setting wins over the file; two from the same place are a mistake.
fn both(endpoint: &str, text: String, at: At<'_>, report: &mut Report) -> Option<TableAccess> {
    let from_setting = |key| matches!(at.child(key).source(), Source::Setting(_));
    match (from_setting("endpoint"), from_setting("connection_string")) {
        (true, false) => {
            let here = at.child("connection_string");
            report.warning(
                here,
                "is not used: an app setting gives the endpoint".to_owned(),
            );
            identity(endpoint, at, report)
        }
        (false, true) => {
            let here = at.child("endpoint");
            report.warning(
                here,
                "is not used: an app setting gives the connection string".to_owned(),
            );
            connection(text, at.child("connection_string"), report)
        }
        _ => {
            let message = "endpoint and connection_string are both given: keep one";
            report.problem(at.child("connection_string"), message.to_owned());
            None
        }
    }
}

fn identity(endpoint: &str, at: At<'_>, report: &mut Report) -> Option<TableAccess> {
    let endpoint = good_url(endpoint, Purpose::BearerBase, at.child("endpoint"), report)?;
    let host = Url::parse(&endpoint)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    if let Some((service, tables)) = other_service(&host) {
        let message = format!(
            "is the address of the {service} service, and the record is kept in tables: is https://{tables} meant?"
        );
        report.warning(at.child("endpoint"), message);
    }
    Some(TableAccess::Identity { endpoint })
}

/// Which other service of Azure Storage a host is of, and the host of the same account's tables.
fn other_service(host: &str) -> Option<(&'static str, String)> {
    let (account, rest) = host.split_once('.')?;
    let (service, domain) = rest.split_once('.')?;
    let service = ["blob", "queue", "file", "dfs", "web"]
        .into_iter()
        .find(|known| *known == service)?;
    domain
        .starts_with("core.")
        .then(|| (service, format!("{account}.table.{domain}")))
}

fn connection(text: String, at: At<'_>, report: &mut Report) -> Option<TableAccess> {
    match connection_fault(&text) {
        Some(fault) => {
            report.problem(at, fault);
            None
        }
        None => {
            if let Source::Line(_) = at.source() {
                let message = "a secret stands in the file: give it as app setting UNDERSTUDY__STORE__CONNECTION_STRING";
                report.warning(at, message.to_owned());
            }
            if sends_over_plain_http(&text) {
                let message = "the table service is reached over http://, not encrypted";
                report.warning(at, message.to_owned());
            }
            Some(TableAccess::ConnectionString(Secret::new(text)))
        }
    }
}

/// The storage that the Functions app has anyway.
fn host(at: At<'_>, env: &Env, report: &mut Report) -> Option<TableAccess> {
    let get = |name: &str| env.get(name).filter(|text| !text.trim().is_empty());
    let found = if let Some(text) = get(HOST_STORAGE) {
        match connection_fault(text) {
            None => Ok((
                HOST_STORAGE,
                TableAccess::ConnectionString(Secret::new(text.as_str())),
            )),
            Some(fault) => Err((HOST_STORAGE, fault)),
        }
    } else if let Some(uri) = get(HOST_TABLES) {
        identity_setting(HOST_TABLES, uri)
    } else if let Some(account) = get(HOST_ACCOUNT) {
        let uri = format!("https://{}.table.core.windows.net", account.trim());
        identity_setting(HOST_ACCOUNT, &uri)
    } else if runs_under_host(env) {
        let message = "does not say where the record is kept: give endpoint or connection_string, or kind = \"embedded\" for a trial on one machine";
        report.problem(at, message.to_owned());
        return None;
    } else {
        // Only looked at, on a machine that is not the app: its settings are elsewhere.
        let message = "neither endpoint nor connection_string is given: the app's own storage (AzureWebJobsStorage, which is not set here) keeps the record, and fails with the app's region; give it an account of its own, or kind = \"embedded\" for a trial on one machine";
        report.warning(at, message.to_owned());
        return None;
    };
    match found {
        Ok((name, access)) => {
            let message = format!(
                "neither endpoint nor connection_string is given: the app's own storage ({name}) keeps the record, and fails with the app's region; give it an account of its own"
            );
            report.warning(at, message);
            Some(access)
        }
        Err((name, message)) => {
            report.setting_problem(name, message);
            None
        }
    }
}

/// Whether this process is the app itself, so that what is not set is not there.
fn runs_under_host(env: &Env) -> bool {
    [
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "WEBSITE_SITE_NAME",
        // Azure's local tools and our own `local` set it for the app.
        "AZURE_FUNCTIONS_ENVIRONMENT",
    ]
    .iter()
    .any(|name| env.contains_key(*name))
}

type Named<T> = Result<(&'static str, T), (&'static str, String)>;

fn identity_setting(name: &'static str, uri: &str) -> Named<TableAccess> {
    match super::urls::check(uri, Purpose::BearerBase) {
        Ok(checked) => Ok((
            name,
            TableAccess::Identity {
                endpoint: checked.url,
            },
        )),
        Err(message) => Err((name, message)),
    }
}

/// Letters and digits, a letter first, 3 to 63: the rule of Table Storage.
fn is_table_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn pairs(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.split(';').filter_map(|part| {
        let (key, value) = part.split_once('=')?;
        Some((key.trim().to_ascii_lowercase(), value.trim()))
    })
}

/// What keeps a connection string from being one.
fn connection_fault(text: &str) -> Option<String> {
    let has = |key: &str| pairs(text).any(|(name, value)| name == key && !value.is_empty());
    if pairs(text)
        .any(|(name, value)| name == "usedevelopmentstorage" && value.eq_ignore_ascii_case("true"))
    {
        return None;
    }
    if !has("tableendpoint") && !has("accountname") {
        return Some("is not a connection string of a table service: it names no TableEndpoint and no AccountName".to_owned());
    }
    if !has("accountkey") && !has("sharedaccesssignature") {
        return Some("holds no AccountKey and no SharedAccessSignature; to use the managed identity give endpoint instead".to_owned());
    }
    let endpoint = pairs(text).find(|(name, _)| name == "tableendpoint");
    match endpoint.map(|(_, endpoint)| Url::parse(endpoint)) {
        Some(Ok(url)) if matches!(url.scheme(), "http" | "https") => None,
        Some(_) => Some("its TableEndpoint is not a URL".to_owned()),
        None => None,
    }
}

fn sends_over_plain_http(text: &str) -> bool {
    let plain = |(name, value): (String, &str)| match name.as_str() {
        "defaultendpointsprotocol" => value.eq_ignore_ascii_case("http"),
        "tableendpoint" => {
            Url::parse(value).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
        }
        _ => false,
    };
    let local = pairs(text)
        .filter(|(name, _)| name == "tableendpoint")
        .any(|(_, value)| Url::parse(value).is_ok_and(|url| is_loopback(&url)));
    !local && pairs(text).any(plain)
}
