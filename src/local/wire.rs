//! The client that reaches the handler, for the host and for the demo.

/// A client for the handler: loopback only, never through a proxy, following nothing.
#[must_use]
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        // Nothing here speaks TLS, and a machine may have no certificates.
        .tls_certs_only(std::iter::empty())
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .build()
        .unwrap_or_default()
}
