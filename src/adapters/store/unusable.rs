//! A store that cannot be used, because the settings do not say where it is: the process stays up and
//! every call says why.

use async_trait::async_trait;

use super::rows::{Page, Place, Row, RowError, RowStore, Write, Written};

/// The line for people.
#[derive(Debug, Clone)]
pub struct Unusable(pub String);

impl Unusable {
    fn refusal(&self) -> RowError {
        RowError::Refused {
            detail: self.0.clone(),
        }
    }
}

#[async_trait]
impl RowStore for Unusable {
    async fn get(&self, _key: &str) -> Result<Option<Row>, RowError> {
        Err(self.refusal())
    }

    async fn page(
        &self,
        _range: (&str, &str),
        _columns: &[&str],
        _place: Option<Place>,
    ) -> Result<Page, RowError> {
        Err(self.refusal())
    }

    async fn transact(&self, _writes: Vec<Write>) -> Result<Written, RowError> {
        Err(self.refusal())
    }

    fn place(&self) -> String {
        "nowhere: the store is not configured".to_owned()
    }
}
