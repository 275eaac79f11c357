//! Why there is no token.

use super::keeper::FetchLost;
use crate::adapters::http::plain;

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

/// Why the Azure CLI gave no token, in one sentence, from what `azure_identity` makes of its words.
pub(super) fn cli_lack(told: &str) -> String {
    const ELSEWHERE: &str = "in Azure, give the app a managed identity";
    if told.contains("not found on PATH") {
        return format!(
            "the Azure CLI is not installed here, or `az` is not on PATH: install it and run `az login`; {ELSEWHERE}"
        );
    }
    // Entra ID's own code, which can be looked up.
    let code = told
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .find(|word| word.starts_with("AADSTS"))
        .map_or_else(String::new, |code| format!(" ({code})"));
    if told.contains("az login") {
        return format!(
            "the Azure CLI has no login that is good{code}: run `az login`; {ELSEWHERE}"
        );
    }
    let told = told.split("To troubleshoot, visit").next().unwrap_or(told);
    let told = told.trim_start_matches("AzureCliCredential authentication failed.");
    let told = plain(told, &[]);
    let told = told.trim_start_matches("ERROR: ").trim_end_matches('.');
    format!("the Azure CLI gave no token: {told}; run `az login`, or {ELSEWHERE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_azure_cli_lacks_is_one_clean_sentence() {
        let told = |words: &str| {
            cli_lack(&format!(
                "AzureCliCredential authentication failed. {words}\nTo troubleshoot, visit https://aka.ms/azsdk"
            ))
        };
        for (words, says) in [
            ("Azure CLI not found on PATH", "is not installed here"),
            (
                "Please run 'az login' to setup account.",
                "no login that is good: run `az login`",
            ),
            (
                "ERROR: AADSTS700082: expired. Please run: az login --scope x\nTrace ID: 1",
                "(AADSTS700082): run",
            ),
            ("ERROR: disk is full.", "gave no token: disk is full; run"),
        ] {
            let said = told(words);
            assert!(said.contains(says), "{said}");
            for raw in ["AzureCliCredential", "aka.ms", "ERROR", "Trace"] {
                assert!(!said.contains(raw), "{said}");
            }
        }
    }
}
