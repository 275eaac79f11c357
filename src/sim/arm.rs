//! Azure Resource Manager: a Video Indexer account and the access tokens that it mints.

use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::call::{self, Call, Kind, Place};
use super::faults::{Fault, Service};
use super::token::TokenFault;
use super::world::{PRINCIPAL, Region, TENANT, VideoIndexerAccount, normal};

/// The versions of `Microsoft.VideoIndexer/accounts` that ARM knows, stable and preview.
const API_VERSIONS: [&str; 13] = [
    "2025-04-01",
    "2025-03-01",
    "2025-01-01",
    "2024-09-23-preview",
    "2024-06-01-preview",
    "2024-04-01-preview",
    "2024-01-01",
    "2022-08-01",
    "2022-07-20-preview",
    "2022-04-13-preview",
    "2021-11-10-preview",
    "2021-10-27-preview",
    "2021-10-18-preview",
];

/// Audiences that ARM takes a token for, without the slash at the end.
const AUDIENCES: [&str; 4] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];

const PROVIDER: &str = "Microsoft.VideoIndexer";
const ACTION: &str = "generateAccessToken";

/// The path of a resource: ARM compares its parts in any case.
struct Target<'a> {
    subscription: &'a str,
    resource_group: &'a str,
    provider: &'a str,
    kind: &'a str,
    name: &'a str,
    action: &'a str,
}

impl<'a> Target<'a> {
    fn read(call: &'a Call) -> Option<Self> {
        let fixed = |at: usize, word: &str| call.segment(at).eq_ignore_ascii_case(word);
        let shaped = (8..=9).contains(&call.segments.len())
            && fixed(0, "subscriptions")
            && fixed(2, "resourceGroups")
            && fixed(4, "providers");
        shaped.then(|| Self {
            subscription: call.segment(1),
            resource_group: call.segment(3),
            provider: call.segment(5),
            kind: call.segment(6),
            name: call.segment(7),
            action: call.segment(8),
        })
    }

    fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}/{}",
            self.subscription, self.resource_group, self.provider, self.kind, self.name
        )
    }

    fn account<'w>(&self, state: &'w State) -> Option<&'w VideoIndexerAccount> {
        state
            .index
            .account_by_resource(&state.world, &self.resource_id())
    }

    fn is_mint(&self) -> bool {
        self.action.eq_ignore_ascii_case(ACTION)
    }
}

/// The place of an ARM request: the region is the resource's own.
pub(super) fn place(state: &State, call: &Call) -> Place {
    let Some(target) = Target::read(call) else {
        return Place::of(Service::Arm, Kind::Other);
    };
    let kind = match target.action {
        "" => Kind::Account,
        _ if target.is_mint() => Kind::Mint,
        _ => Kind::Other,
    };
    let mut place = Place::of(Service::Arm, kind);
    if let Some(account) = target.account(state) {
        place.region = normal(&account.region);
        place.name.clone_from(&account.name);
        place.subscription_id.clone_from(&account.subscription_id);
    }
    place
}

/// The right answer.
pub(super) fn answer(state: &State, call: &Call) -> Response {
    if let Some(refused) = unauthenticated(state, call) {
        return refused;
    }
    let Some(target) = Target::read(call) else {
        return failure(
            404,
            "InvalidResourceType",
            "The path names no resource that the simulator has.",
        );
    };
    let is_known = target.provider.eq_ignore_ascii_case(PROVIDER)
        && target.kind.eq_ignore_ascii_case("accounts");
    let versions: &[&str] = if is_known { &API_VERSIONS } else { &[] };
    if let Some(refused) = wrong_version(call, target.kind, versions) {
        return refused;
    }
    let Some(account) = target.account(state) else {
        return absent(state, call);
    };
    match (&call.method, target.action) {
        (&Method::GET, "") => finish(call::json(200, &resource(state, account))),
        (&Method::POST, _) if target.is_mint() => mint(state, call, account),
        _ => failure(
            404,
            "NotFound",
            "The simulator has GET of an account and POST generateAccessToken.",
        ),
    }
}

/// What ARM says while this fault is set.
pub(super) fn refuse(state: &State, place: &Place, call: &Call, fault: Fault) -> Response {
    let path = Target::read(call).map(|target| (target.resource_id(), target.action.to_owned()));
    let (scope, action) = path.unwrap_or_default();
    match fault {
        Fault::Throttle(after) => {
            let message = format!(
                "Number of requests for subscription '{}' and operation '{}' exceeded the backend storage limit. \
                 Please try again after '{after}' seconds.",
                place.subscription_id, call.method
            );
            let response = failure(429, "SubscriptionRequestsThrottled", &message);
            call::with_header(response, "retry-after", &after.to_string())
        }
        Fault::Deny(Some(401)) => {
            unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
        }
        Fault::Deny(status) => {
            let permission = if action.is_empty() {
                "read"
            } else {
                "generateAccessToken/action"
            };
            let message = format!(
                "The client '{PRINCIPAL}' with object id '{PRINCIPAL}' does not have authorization to perform action \
                 'Microsoft.VideoIndexer/accounts/{permission}' over scope '{scope}' or the scope is invalid. \
                 If access was recently granted, please refresh your credentials."
            );
            failure(status.unwrap_or(403), "AuthorizationFailed", &message)
        }
        Fault::Missing if Target::read(call).is_some() => absent(state, call),
        Fault::Missing => failure(404, "ResourceNotFound", "The resource was not found."),
        Fault::Gone => failure(410, "Gone", "The resource is no longer there."),
        Fault::Precondition => failure(
            412,
            "PreconditionFailed",
            "A precondition of the request was not met.",
        ),
        Fault::Error(status) => server_error(PROVIDER, status),
        _ => server_error(PROVIDER, 503),
    }
}

/// An error of ARM, or of the resource provider behind it.
pub(super) fn server_error(provider: &str, status: u16) -> Response {
    let (code, message) = match status {
        502 => (
            "BadGateway",
            format!("The gateway received a bad response from '{provider}'."),
        ),
        503 => (
            "ServiceUnavailable",
            "The service is temporarily unavailable. Please try again.".to_owned(),
        ),
        504 => (
            "GatewayTimeout",
            format!(
                "The gateway did not receive a response from '{provider}' within the specified time period."
            ),
        ),
        _ => (
            "InternalServerError",
            "Encountered internal server error.".to_owned(),
        ),
    };
    failure(status, code, &message)
}

/// Why the call's token is not taken: only one of our identity endpoint, for ARM, that is good now, is.
pub(super) fn unauthenticated(state: &State, call: &Call) -> Option<Response> {
    let Some(token) = call.bearer() else {
        return Some(unauthorized(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let now = Timestamp::now();
    let claims = match state.identity.read(token, now) {
        Ok(claims) => claims,
        Err(TokenFault::Expired(at)) => {
            let message = format!(
                "The access token expiry UTC time '{at:.0}' is earlier than current UTC time '{now:.0}'."
            );
            return Some(unauthorized("ExpiredAuthenticationToken", &message));
        }
        Err(TokenFault::Invalid | TokenFault::Revoked) => {
            return Some(unauthorized(
                "InvalidAuthenticationToken",
                "The access token is invalid.",
            ));
        }
    };
    let audience = claims["aud"].as_str().unwrap_or_default();
    if AUDIENCES.contains(&audience.trim_end_matches('/')) {
        return None;
    }
    let message = format!(
        "The access token has been obtained for wrong audience or resource '{audience}'. \
         It should exactly match with one of the allowed audiences '{}/'.",
        AUDIENCES[0]
    );
    Some(unauthorized("InvalidAuthenticationTokenAudience", &message))
}

/// Why the call's api-version is not taken: a type of resource has these.
pub(super) fn wrong_version(call: &Call, kind: &str, versions: &[&str]) -> Option<Response> {
    let Some(version) = call.query("api-version") else {
        return Some(failure(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if versions.contains(&version.to_ascii_lowercase().as_str()) {
        return None;
    }
    let message = format!(
        "No registered resource provider found for API version '{version}' for type '{kind}'. \
         The supported api-versions are '{}'.",
        versions.join(", ")
    );
    Some(failure(400, "NoRegisteredProviderFound", &message))
}

/// What of the path to an account is not there: its subscription, its resource group, or itself.
pub(super) fn absent(state: &State, call: &Call) -> Response {
    let (subscription, group) = (call.segment(1), call.segment(3));
    let (code, message) = match state.index.has(subscription, group) {
        (false, _) => (
            "SubscriptionNotFound",
            format!("The subscription '{subscription}' could not be found."),
        ),
        (true, false) => (
            "ResourceGroupNotFound",
            format!("Resource group '{group}' could not be found."),
        ),
        (true, true) => (
            "ResourceNotFound",
            format!(
                "The Resource '{}/{}/{}' under resource group '{group}' was not found. \
                 For more details please go to https://aka.ms/ARMResourceNotFoundFix",
                call.segment(5),
                call.segment(6),
                call.segment(7)
            ),
        ),
    };
    failure(404, code, &message)
}

/// The account as ARM shows it. As in Azure, the id's case is not the caller's, the location is written
/// without spaces, and `name` need not be spelled as `accountName` is.
fn resource(state: &State, account: &VideoIndexerAccount) -> Value {
    let group = account.resource_group.to_ascii_uppercase();
    let base = format!(
        "/subscriptions/{}/resourcegroups/{group}/providers",
        account.subscription_id
    );
    let identity = format!(
        "{base}/Microsoft.ManagedIdentity/userAssignedIdentities/{}-mi",
        account.name
    );
    let location = state
        .world
        .regions
        .iter()
        .find(|region| region.name == account.region)
        .map_or_else(|| Region::new(&account.region).location(), Region::location);
    let mut identities = serde_json::Map::new();
    identities.insert(
        identity.clone(),
        json!({
            "principalId": "a661c16c-ee39-46e7-93f6-000000000002",
            "clientId": "92e65ecf-0fae-432e-8272-000000000002",
        }),
    );
    json!({
        "id": format!("{base}/microsoft.videoindexer/accounts/{}", account.name.to_ascii_uppercase()),
        "name": account.name.to_ascii_uppercase(),
        "type": "Microsoft.VideoIndexer/accounts",
        "location": location,
        "tags": {},
        "properties": {
            "tenantId": TENANT,
            "accountId": account.account_id,
            "accountName": account.name,
            "storageServices": {
                "resourceId": format!("{base}/Microsoft.Storage/storageAccounts/{}ms", normal(&account.name)),
                "userAssignedIdentity": identity,
            },
            "totalSecondsIndexed": 3_960,
            "totalMinutesIndexed": 66,
            "publicNetworkAccess": "Enabled",
            "privateEndpointConnections": [],
            "provisioningState": "Succeeded",
        },
        "identity": { "type": "UserAssigned", "userAssignedIdentities": identities },
    })
}

fn mint(state: &State, call: &Call, account: &VideoIndexerAccount) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
        return failure(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized.",
        );
    };
    let permission = body["permissionType"].as_str().unwrap_or_default();
    let scope = body["scope"].as_str().unwrap_or_default();
    if !["Reader", "Contributor"].contains(&permission) {
        return failure(
            400,
            "BadRequest",
            "permissionType must be Reader or Contributor.",
        );
    }
    let id_key = match scope {
        "Account" => None,
        "Video" => Some("videoId"),
        "Project" => Some("projectId"),
        _ => {
            return failure(
                400,
                "BadRequest",
                "scope must be Account, Video or Project.",
            );
        }
    };
    if id_key.is_some_and(|key| !body[key].is_string()) {
        return failure(
            400,
            "BadRequest",
            &format!("scope {scope} needs the id of one."),
        );
    }
    let now = Timestamp::now();
    let expires = super::later(now, state.world.account_token_lifetime);
    let token = account_token(state, account, permission, now, expires);
    finish(call::json(200, &json!({ "accessToken": token })))
}

/// An access token of this account.
pub(super) fn account_token(
    state: &State,
    account: &VideoIndexerAccount,
    permission: &str,
    now: Timestamp,
    expires: Timestamp,
) -> String {
    let claims = json!({
        "Version": "2.0.0.0",
        "KeyVersion": "simulator",
        "AccountId": account.account_id,
        "AccountType": "Arm",
        "Permission": permission,
        "ExternalUserId": PRINCIPAL,
        "UserType": "MicrosoftCorpAad",
        "IssuerLocation": account.region,
        "iss": "https://api.videoindexer.ai/",
        "aud": "https://api.videoindexer.ai/",
    });
    state.accounts.issue(claims, now, expires)
}

/// The token is not taken.
pub(super) fn unauthorized(code: &str, message: &str) -> Response {
    let challenge = format!(
        "Bearer authorization_uri=\"https://login.windows.net/{TENANT}\", error=\"invalid_token\", \
         error_description=\"{message}\""
    );
    call::with_header(failure(401, code, message), "www-authenticate", &challenge)
}

/// An error.
pub(super) fn failure(status: u16, code: &str, message: &str) -> Response {
    finish(call::json(
        status,
        &json!({ "error": { "code": code, "message": message } }),
    ))
}

/// The headers that every answer of ARM carries.
pub(super) fn finish(response: Response) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let mut response = response;
    for name in ["x-ms-request-id", "x-ms-correlation-request-id"] {
        response = call::with_header(response, name, &id);
    }
    call::with_header(
        response,
        "x-ms-ratelimit-remaining-subscription-reads",
        "11999",
    )
}
