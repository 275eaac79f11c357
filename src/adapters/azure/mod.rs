//! Azure as an API: identity, tokens, ARM.
//!
//! | looking for | file |
//! | --- | --- |
//! | this deployment's own tokens, one per audience | `identity` |
//! | how they are fetched: managed identity, client secret, Azure CLI | `credential` |
//! | why there is none | `lack` |
//! | the shapes in which an identity endpoint answers | `token_body` |
//! | how any token is kept: to its expiry, renewed early, fetched once for all who ask | `keeper` |
//! | ARM: minting an account's token, reading an account | `arm` |
//! | what an error body says, ARM's or MK.IO's | `error_body` |
//! | a Video Indexer account's own token | `account_token` |
//! | how often ARM is asked | `pace` |

pub mod account_token;
pub mod arm;
pub mod credential;
pub mod error_body;
pub mod identity;
pub mod keeper;
pub mod lack;
pub mod pace;
pub mod token_body;
