//! What Media Services says while something is broken, and whom it does not serve.

use axum::response::Response;

use super::super::call::{self, Call, Place};
use super::super::faults::Fault;
use super::super::world::PRINCIPAL;
use super::super::{State, arm};
use super::account::MediaAccount;
use super::ask::Ask;
use super::manner::Manner;
use super::{read_arm, read_mkio};

/// What is said while this fault is set.
pub(in super::super) fn refuse(
    state: &State,
    place: &Place,
    call: &Call,
    fault: Fault,
) -> Response {
    let (manner, request) = if place.front.is_some() {
        (Manner::Arm, read_arm(state, call))
    } else {
        (Manner::Ams, read_mkio(state, call))
    };
    let is_arm = manner == Manner::Arm;
    match fault {
        Fault::Throttle(after) => {
            let response = if is_arm {
                let message = format!(
                    "Number of requests for subscription '{}' and operation '{}' exceeded the backend storage limit. \
                     Please try again after '{after}' seconds.",
                    place.subscription_id, call.method
                );
                manner.failure(429, "SubscriptionRequestsThrottled", &message)
            } else {
                manner.failure(429, "TooManyRequests", "Too many requests.")
            };
            call::with_header(response, "retry-after", &after.to_string())
        }
        Fault::Deny(Some(401)) if is_arm => {
            arm::unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
        }
        Fault::Deny(Some(401)) => bad_token(),
        Fault::Deny(status) => match request.account {
            Some((_, account)) if is_arm => denied(&request.ask, account, status.unwrap_or(403)),
            _ => manner.failure(status.unwrap_or(403), "Forbidden", "That is not allowed."),
        },
        Fault::Missing => match request.account {
            Some(_) if is_arm => arm::absent(state, call),
            _ => manner.failure(404, "NotFound", "There is no such project."),
        },
        Fault::Gone => manner.failure(410, "Gone", "The account is no longer there."),
        Fault::Retired => {
            let message = format!(
                "No registered resource provider found for location '{}' and API version '{}' for type \
                 'mediaServices'.",
                place.region,
                call.query("api-version").unwrap_or_default()
            );
            manner.failure(400, "NoRegisteredProviderFound", &message)
        }
        Fault::Precondition => manner.failure(
            412,
            "PreconditionFailed",
            "A precondition of the request was not met.",
        ),
        Fault::Error(status) if is_arm => arm::server_error("Microsoft.Media", status),
        Fault::Error(status) => {
            manner.failure(status, "InternalServerError", "There was an error.")
        }
        _ if is_arm => arm::server_error("Microsoft.Media", 503),
        _ => manner.failure(503, "ServiceUnavailable", "There was an error."),
    }
}

/// MK.IO does not take the token.
pub(super) fn bad_token() -> Response {
    Manner::Ams.failure(
        401,
        "Unauthorized",
        "The token is missing, or is not valid.",
    )
}

/// The identity lacks the role for what is asked.
pub(super) fn denied(ask: &Ask, account: &MediaAccount, status: u16) -> Response {
    let (_, action) = ask.action();
    let scope = account.resource_id();
    let message = format!(
        "The client '{PRINCIPAL}' with object id '{PRINCIPAL}' does not have authorization to perform action \
         'Microsoft.Media/mediaservices/{action}' over scope '{scope}' or the scope is invalid. \
         If access was recently granted, please refresh your credentials."
    );
    arm::failure(status, "AuthorizationFailed", &message)
}
