//! Bodies of Media Services: accounts, endpoints, live events, transforms, jobs, locators, operations.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::State;
use super::super::world::{Region, normal};
use super::account::{MediaAccount, MediaKind, StreamingLocator};
use super::jobs::{Job, JobState};
use super::ledger::{Family, Held, Operation, OperationStatus, Part};

/// When everything that has no history here was made.
const CREATED: &str = "2024-03-03T02:25:09.202013Z";
/// An id that means nothing in particular.
const SOME_ID: &str = "d7aea790-0000-4000-8000-000000000001";

/// The region as Media Services writes it: by its display name.
fn location(state: &State, account: &MediaAccount) -> String {
    let mut regions = state.world.regions.iter();
    regions
        .find(|region| region.name == account.region)
        .map_or_else(
            || Region::new(&account.region).display,
            |region| region.display.clone(),
        )
}

fn child(account: &MediaAccount, path: &str, kind: &str, name: &str, properties: Value) -> Value {
    json!({
        "name": name,
        "id": format!("{}/{path}", account.resource_id()),
        "type": format!("Microsoft.Media/mediaservices/{kind}"),
        "properties": properties,
    })
}

/// The account.
pub(super) fn account(state: &State, account: &MediaAccount) -> Value {
    if account.kind == MediaKind::Mkio {
        return json!({
            "name": account.name,
            "id": account.media_service_id,
            "properties": { "location": account.region },
        });
    }
    let storage = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{}store",
        account.subscription_id,
        account.resource_group,
        normal(&account.name)
    );
    // As in the real answers, there is no provisioningState.
    json!({
        "name": account.name,
        "id": account.resource_id(),
        "type": "Microsoft.Media/mediaservices",
        "location": location(state, account),
        "tags": {},
        "properties": {
            "mediaServiceId": account.media_service_id,
            "storageAccounts": [{ "id": storage, "type": "Primary" }],
            "storageAuthentication": "System",
            "publicNetworkAccess": "Enabled",
            "keyDelivery": { "accessControl": { "defaultAction": "Allow" } },
            "privateEndpointConnections": [],
            "minimumTlsVersion": "Tls12",
        },
    })
}

/// A streaming endpoint or live event.
pub(super) fn part(state: &State, account: &MediaAccount, part: &Part, held: Held) -> Value {
    let path = format!(
        "{}/{}",
        part.family.as_str().to_ascii_lowercase(),
        part.name
    );
    let (kind, mut properties) = match part.family {
        Family::StreamingEndpoints => ("streamingEndpoints", endpoint(account, &part.name)),
        Family::LiveEvents => ("liveevents", live_event(account, &part.name)),
    };
    properties["resourceState"] = json!(held.state.as_str());
    let provisioning = if held.state.is_passing() {
        "InProgress"
    } else {
        "Succeeded"
    };
    properties["provisioningState"] = json!(provisioning);
    properties["created"] = json!(CREATED);
    properties["lastModified"] = json!(held.since.to_string());
    let mut body = child(account, &path, kind, &part.name, properties);
    body["location"] = json!(location(state, account));
    body["tags"] = json!({});
    body
}

fn endpoint(account: &MediaAccount, name: &str) -> Value {
    json!({
        "description": "",
        "scaleUnits": i32::from(name != "default"),
        "availabilitySetName": null,
        "cdnEnabled": false,
        "cdnProvider": null,
        "cdnProfile": "",
        "customHostNames": [],
        "maxCacheAge": null,
        "hostName": account.host_name(name),
        "freeTrialEndTime": "0001-01-01T00:00:00Z",
    })
}

fn live_event(account: &MediaAccount, name: &str) -> Value {
    let host = format!("{}-{}", name.to_ascii_lowercase(), normal(&account.name));
    let domain = format!("{}.channel.media.azure.net", account.region);
    let ingest = format!(
        "rtmps://{host}.{domain}:2935/live/{}",
        normal(&account.name)
    );
    let preview = format!("https://{host}.preview-{domain}/{SOME_ID}/preview.ism/manifest");
    json!({
        "description": "",
        "useStaticHostname": true,
        "streamOptions": ["Default"],
        "input": {
            "streamingProtocol": "RTMP",
            "keyFrameIntervalDuration": "PT6S",
            "accessToken": null,
            "endpoints": [{ "protocol": "RTMP", "url": ingest }],
            "timedMetadataEndpoints": [],
        },
        "preview": {
            "previewLocator": SOME_ID,
            "streamingPolicyName": null,
            "endpoints": [{ "protocol": "FragmentedMP4", "url": preview }],
        },
        "encoding": { "encodingType": "None", "presetName": null },
        "crossSiteAccessPolicies": { "clientAccessPolicy": null, "crossDomainPolicy": null },
    })
}

/// A live output.
pub(super) fn output(account: &MediaAccount, event: &str, name: &str) -> Value {
    let properties = json!({
        "description": null,
        "assetName": format!("asset-{name}"),
        "archiveWindowLength": "PT5M",
        "manifestName": name,
        "outputSnapTime": 0,
        "resourceState": "Running",
        "provisioningState": "Succeeded",
        "created": CREATED,
        "lastModified": CREATED,
    });
    let path = format!("liveevents/{event}/liveoutputs/{name}");
    child(account, &path, "liveevents/liveoutputs", name, properties)
}

/// A transform.
pub(super) fn transform(account: &MediaAccount, name: &str) -> Value {
    let properties = json!({
        "created": CREATED,
        "description": null,
        "lastModified": CREATED,
        "outputs": [{
            "onError": "StopProcessingJob",
            "relativePriority": "Normal",
            "preset": {
                "@odata.type": "#Microsoft.Media.BuiltInStandardEncoderPreset",
                "presetName": "AdaptiveStreaming",
            },
        }],
    });
    child(
        account,
        &format!("transforms/{name}"),
        "transforms",
        name,
        properties,
    )
}

/// A job.
pub(super) fn job(account: &MediaAccount, transform: &str, job: &Job) -> Value {
    let name = &job.name;
    let progress = match job.state {
        JobState::Finished => 100,
        JobState::Processing => 50,
        _ => 0,
    };
    let mut output = json!({
        "@odata.type": "#Microsoft.Media.JobOutputAsset",
        "state": job.state.as_str(),
        "progress": progress,
        "label": "BuiltInStandardEncoderPreset_0",
        "assetName": format!("{name}-output"),
    });
    if job.state == JobState::Error {
        output["error"] = json!({
            "code": "ServiceTransientError",
            "message": "Transient service error, please resubmit the job.",
            "category": "Service",
            "retry": "MayRetry",
            "details": [],
        });
    }
    let mut properties = json!({
        "created": time(job.created),
        "state": job.state.as_str(),
        "input": {
            "@odata.type": "#Microsoft.Media.JobInputAsset",
            "files": [],
            "inputDefinitions": [],
            "assetName": format!("{name}-input"),
        },
        "lastModified": time(job.last_modified),
        "priority": "Normal",
        "correlationData": {},
    });
    for (key, at) in [("startTime", job.started), ("endTime", job.ended)] {
        if let Some(at) = at {
            properties[key] = json!(time(at));
            output[key] = json!(time(at));
        }
    }
    properties["outputs"] = json!([output]);
    let path = format!("transforms/{transform}/jobs/{name}");
    child(account, &path, "transforms/jobs", name, properties)
}

/// A streaming locator.
pub(super) fn locator(account: &MediaAccount, locator: &StreamingLocator) -> Value {
    let properties = json!({
        "assetName": locator.asset,
        "created": CREATED,
        "endTime": "9999-12-31T23:59:59.9999999Z",
        "streamingLocatorId": locator.id,
        "streamingPolicyName": "Predefined_ClearStreamingOnly",
        "contentKeys": [],
    });
    let path = format!("streamingLocators/{}", locator.name);
    child(
        account,
        &path,
        "streamingLocators",
        &locator.name,
        properties,
    )
}

/// The paths of a streaming locator.
pub(super) fn paths(locator: &StreamingLocator) -> Value {
    json!({
        "streamingPaths": [{
            "streamingProtocol": "Hls",
            "encryptionScheme": "NoEncryption",
            "paths": [locator.path],
        }],
        "downloadPaths": [],
    })
}

/// How an operation stands. As in the real answers, there is an `error` also where there is none.
pub(super) fn operation(operation: &Operation) -> Value {
    let (code, message) = match operation.status {
        OperationStatus::Failed => ("InternalServerError", json!(failed(operation))),
        OperationStatus::InProgress | OperationStatus::Succeeded => ("None", Value::Null),
    };
    json!({
        "name": operation.id,
        "status": operation.status.as_str(),
        "error": { "code": code, "message": message, "target": SOME_ID },
    })
}

/// What is said of an operation that failed.
pub(super) fn failed(operation: &Operation) -> String {
    format!(
        "The operation {} of {} did not complete.",
        operation.action.as_str(),
        operation.part
    )
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}
