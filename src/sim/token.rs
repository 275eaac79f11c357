//! Tokens of the simulator: signed like a JWT, checked without remembering any of them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// Not ours, or tampered with.
    Invalid,
    /// Its time is over; the instant when it was.
    Expired(Timestamp),
    /// It was issued before all tokens were revoked.
    Revoked,
}

/// Issues and checks tokens. Tokens of another simulator are invalid here.
pub(super) struct Issuer {
    key: [u8; 32],
    issued: AtomicU64,
    revoked: AtomicU64,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key.
        formatter
            .debug_struct("Issuer")
            .field("issued", &self.issued)
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Self {
            key,
            issued: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
        }
    }

    /// A token with these claims, good from now until `expires`.
    pub(super) fn issue(&self, mut claims: Value, now: Timestamp, expires: Timestamp) -> String {
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        claims["iat"] = json!(now.as_second());
        claims["nbf"] = json!(now.as_second());
        claims["exp"] = json!(expires.as_second());
        claims["uti"] = json!(number.to_string());
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": "simulator"});
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(self.sign(&text));
        format!("{text}.{signature}")
    }

    /// The claims of a token that is good now.
    pub(super) fn read(&self, token: &str, now: Timestamp) -> Result<Value, TokenFault> {
        let (text, signature) = token.rsplit_once('.').ok_or(TokenFault::Invalid)?;
        if URL_SAFE_NO_PAD.decode(signature).ok() != Some(self.sign(text)) {
            return Err(TokenFault::Invalid);
        }
        let claims: Value = text
            .split_once('.')
            .and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok())
            .and_then(|claims| serde_json::from_slice(&claims).ok())
            .ok_or(TokenFault::Invalid)?;
        let number = claims["uti"]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or(TokenFault::Invalid)?;
        let expires = claims["exp"]
            .as_i64()
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or(TokenFault::Invalid)?;
        if expires <= now {
            return Err(TokenFault::Expired(expires));
        }
        if number <= self.revoked.load(Ordering::Relaxed) {
            return Err(TokenFault::Revoked);
        }
        Ok(claims)
    }

    /// No token issued so far is good any longer.
    pub(super) fn revoke(&self) {
        self.revoked
            .store(self.issued.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        Hmac::<Sha256>::new_from_slice(&self.key)
            .map(|mut mac| {
                mac.update(text.as_bytes());
                mac.finalize().into_bytes().to_vec()
            })
            .unwrap_or_default()
    }
}
