//! URLs in settings. No message repeats a URL: it may hold a key or a SAS.

use url::{Host, Url};

/// What a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Asked or handed out as it is.
    Endpoint,
    /// Paths are appended, and a bearer token is sent along.
    BearerBase,
}

/// A good URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// As it is used: a base has no slash at the end.
    pub url: String,
    /// What is unwise about it.
    pub warning: Option<String>,
}

/// Checks a URL.
///
/// # Errors
/// One line that says what is wrong with it.
pub fn check(text: &str, purpose: Purpose) -> Result<Checked, String> {
    let url = Url::parse(text.trim()).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "is not a URL: it must begin with https://".to_owned()
        }
        error => format!("is not a URL: {error}"),
    })?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err("must be an https:// URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password".to_owned());
    }
    if purpose != Purpose::Endpoint && (url.query().is_some() || url.fragment().is_some()) {
        return Err("must be a base URL, without `?` and `#`".to_owned());
    }
    let plain = url.scheme() == "http";
    let loopback = is_loopback(&url);
    if plain && purpose == Purpose::BearerBase && !loopback {
        return Err(
            "http:// is refused: a bearer token is sent there; write https:// (http:// is for loopback only)".to_owned(),
        );
    }
    let warning = plain.then(|| match loopback {
        true => "http:// is not encrypted; on loopback that is good for trials".to_owned(),
        false => {
            "http:// is not encrypted, and anyone on the way can answer for it; write https://"
                .to_owned()
        }
    });
    let url = match purpose {
        Purpose::Endpoint => text.trim().to_owned(),
        Purpose::BearerBase => text.trim().trim_end_matches('/').to_owned(),
    };
    Ok(Checked { url, warning })
}

/// Whether the host is this machine itself.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_goes_over_http_only_to_this_machine() {
        for text in [
            "http://127.0.0.1:10002/account/",
            "http://[::1]:80",
            "http://localhost:9",
        ] {
            let checked = check(text, Purpose::BearerBase).unwrap();
            assert!(checked.warning.is_some(), "{text}");
            assert!(!checked.url.ends_with('/'));
        }
        for text in [
            "http://10.0.0.1",
            "http://example.com",
            "http://localhost.example.com",
        ] {
            assert!(
                check(text, Purpose::BearerBase)
                    .unwrap_err()
                    .contains("bearer token")
            );
            assert!(check(text, Purpose::Endpoint).unwrap().warning.is_some());
        }
        assert_eq!(
            check("https://example.com/", Purpose::BearerBase)
                .unwrap()
                .warning,
            None
        );
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://u:secret@example.com",
            "https://example.com/?sig=secret",
            "https://example.com/#secret",
            "data:secret",
        ] {
            let message = check(text, Purpose::BearerBase).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(check("https://example.com/?code=1", Purpose::Endpoint).is_ok());
    }
}
