//! What a table service's answer amounts to, and what a person can do about it.

use super::connection::{Connection, Proof};
use super::rows::RowError;
use super::sealed::Ending;

/// What a request that did not do what it should amounts to.
#[derive(Debug)]
pub enum Trouble {
    /// There is no such table.
    NoTable,
    /// There is no such row.
    NoRow,
    /// A row exists, is missing, or has another ETag.
    Conflict,
    /// The connection broke: a read may be sent again.
    Broken(RowError),
    /// Anything else.
    Error(RowError),
}

impl From<Trouble> for RowError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Broken(error) | Trouble::Error(error) => error,
            Trouble::NoTable | Trouble::NoRow | Trouble::Conflict => Self::Unavailable {
                detail: "the table is being changed by others".to_owned(),
            },
        }
    }
}

/// What to make of this ending of a request.
#[must_use]
pub fn of(ending: Option<Ending>, connection: &Connection, table: &str) -> Trouble {
    match ending {
        Some(Ending::Unreached { detail, again }) => {
            let error = RowError::Unavailable { detail };
            if again {
                Trouble::Broken(error)
            } else {
                Trouble::Error(error)
            }
        }
        Some(Ending::Answered {
            status,
            code,
            message,
        }) => judge(
            status,
            code.as_deref(),
            message.as_deref(),
            connection,
            table,
        ),
        None => refused("the request could not be made: check the store's endpoint".to_owned()),
    }
}

fn judge(
    status: u16,
    code: Option<&str>,
    message: Option<&str>,
    connection: &Connection,
    table: &str,
) -> Trouble {
    let seen = match (code, message) {
        (Some(code), _) if matches!(status, 401 | 403) => format!("{status} {code}"),
        (Some(code), Some(message)) => format!("{status} {code}: {message}"),
        (Some(code), None) => format!("{status} {code}"),
        (None, _) => status.to_string(),
    };
    match (status, code) {
        (404, Some("TableNotFound")) => Trouble::NoTable,
        (404, Some("ResourceNotFound" | "EntityNotFound")) => Trouble::NoRow,
        (404, _) => refused(format!(
            "it answered {seen}: is {} the endpoint of a table service?",
            connection.endpoint
        )),
        (409, Some("TableBeingDeleted")) => {
            unavailable(format!("the table {table} is being deleted"))
        }
        (409 | 412, _) => Trouble::Conflict,
        (401 | 403, _) => refused(format!("it answered {seen}; {}", remedy(&connection.proof))),
        (408 | 429 | 500.., _) => unavailable(format!("it answered {seen}")),
        (200..300, _) => unavailable(format!(
            "it answered {seen}, but not as a table service does"
        )),
        _ => refused(format!("it answered {seen}")),
    }
}

fn refused(detail: String) -> Trouble {
    Trouble::Error(RowError::Refused { detail })
}

fn unavailable(detail: String) -> Trouble {
    Trouble::Error(RowError::Unavailable { detail })
}

/// What a person can do where the service refuses us.
fn remedy(proof: &Proof) -> &'static str {
    match proof {
        Proof::Key { .. } => {
            "check that the account key in store.connection_string is current, that the account allows \
             access by key, and that its firewall lets this app in"
        }
        Proof::Sas(_) => {
            "check that the SAS in store.connection_string has not expired, is for tables, and allows \
             read, query, add, update and delete; and that the account's firewall lets this app in"
        }
        Proof::Identity { scope } if scope.contains("cosmos.") => {
            "give this app's identity a data-plane role on the Cosmos DB account that may read and write \
             tables, and check that its firewall lets this app in"
        }
        Proof::Identity { .. } => {
            "give this app's identity the role Storage Table Data Contributor on the storage account \
             (it may take some minutes to be seen), and check that the account's firewall lets this app in"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, code: Option<&str>, proof: Proof) -> Trouble {
        let connection = Connection {
            endpoint: "https://acct.table.core.windows.net".to_owned(),
            proof,
        };
        let ending = Ending::Answered {
            status,
            code: code.map(str::to_owned),
            message: None,
        };
        of(Some(ending), &connection, "understudystate")
    }

    fn identity(scope: &str) -> Proof {
        Proof::Identity {
            scope: scope.to_owned(),
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let cases = [
            (
                401,
                identity("https://storage.azure.com/.default"),
                "Storage Table Data Contributor",
            ),
            (
                403,
                identity("https://storage.azure.com/.default"),
                "Storage Table Data Contributor",
            ),
            (
                403,
                identity("https://cosmos.azure.com/.default"),
                "data-plane role on the Cosmos DB account",
            ),
            (
                404,
                identity("x"),
                "https://acct.table.core.windows.net the endpoint",
            ),
            (301, identity("x"), "301"),
        ];
        for (status, proof, expected) in cases {
            let trouble = said(status, None, proof);
            assert!(
                matches!(&trouble, Trouble::Error(error @ RowError::Refused { .. }) if error.to_string().contains(expected)),
                "{status}: {trouble:?}"
            );
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_unavailable() {
        for (status, code) in [
            (408, None),
            (429, None),
            (500, Some("OperationTimedOut")),
            (503, None),
            (409, Some("TableBeingDeleted")),
            (200, None),
        ] {
            let trouble = said(status, code, identity("x"));
            assert!(
                matches!(trouble, Trouble::Error(RowError::Unavailable { .. })),
                "{status}: {trouble:?}"
            );
        }
    }
}
