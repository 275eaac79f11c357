//! Why there is no token.

use super::keeper::FetchLost;

/// Why there is no token. The text never holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// The identity endpoint failed or did not answer: try again.
    #[error("{0}")]
    Unavailable(String),
    /// It refused us, or no identity is set up: a person must mend something.
    #[error("{0}")]
    Refused(String),
}

impl From<FetchLost> for IdentityError {
    fn from(_: FetchLost) -> Self {
        Self::Unavailable("this process is shutting down".to_owned())
    }
}
