//! The groups that replayed bodies are held against, each for one way of matching.

use understudy::model::media::{MediaKind, Workload};
use understudy::model::name::{GroupName, SiteName};
use understudy::model::policy::Policy;
use understudy::model::spec::{
    AccountSpec, GroupSpec, MediaServicesSpec, SiteSpec, VideoIndexerSpec,
};

/// The subscription of the bodies that were made for Video Indexer and Media Services.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// The subscription of those in the older schema.
const OLDER: &str = "cccc2c2c-dd3d-ee4e-ff5f-aaaaaa6a6a6a";
/// The subscription of the portal's samples, and the resource group in it.
const SAMPLES: &str =
    "/subscriptions/AAAA0A0A-BB1B-CC2C-DD3D-EEEEEE4E4E4E/resourceGroups/test-RG/providers";

/// The account that wrapped bodies are told of.
pub fn account() -> String {
    video_indexer(SUBSCRIPTION, "vi-weu").resource_id()
}

/// All groups, in the order in which the table names what they match.
pub fn all() -> Vec<GroupSpec> {
    let on = |resources: &[&str]| {
        let resources: Vec<AccountSpec> = resources.iter().map(|id| resource(id)).collect();
        resources
    };
    let sample = |rest: &str| format!("{SAMPLES}/{rest}");
    vec![
        group(
            "video",
            vec![
                site(
                    "westeurope",
                    "westeurope",
                    vec![indexer(SUBSCRIPTION, "vi-weu")],
                ),
                site(
                    "northeurope",
                    "North Europe",
                    vec![indexer(SUBSCRIPTION, "vi-neu")],
                ),
            ],
        ),
        group(
            "older",
            vec![
                site(
                    "northeurope",
                    "northeurope",
                    vec![indexer(OLDER, "old-neu")],
                ),
                site("westeurope", "westeurope", vec![indexer(OLDER, "old-weu")]),
            ],
        ),
        group(
            "media",
            vec![
                site(
                    "westeurope",
                    "West Europe",
                    on(&[&format!(
                        "/subscriptions/{SUBSCRIPTION}/resourceGroups/m/providers/Microsoft.Media/mediaservices/weu"
                    )]),
                ),
                site(
                    "northeurope",
                    "northeurope",
                    on(&[&format!(
                        "/subscriptions/{SUBSCRIPTION}/resourceGroups/m/providers/Microsoft.Media/mediaservices/neu"
                    )]),
                ),
            ],
        ),
        // The right service and regions, in a subscription that no body speaks of.
        group(
            "foreign",
            vec![
                site(
                    "westeurope",
                    "westeurope",
                    vec![indexer("99999999-9999-9999-9999-999999999999", "x")],
                ),
                site(
                    "northeurope",
                    "northeurope",
                    vec![indexer("99999999-9999-9999-9999-999999999999", "y")],
                ),
            ],
        ),
        // What the samples speak of, as if it were accounts of ours.
        group(
            "resources",
            vec![
                site(
                    "storage",
                    "eastus",
                    on(&[&sample(
                        "Microsoft.Storage/storageAccounts/test-storageAccount",
                    )]),
                ),
                site(
                    "machine",
                    "eastus",
                    on(&[
                        &sample("Microsoft.Compute/virtualMachines/test-VM"),
                        "/subscriptions/<subscription ID>/resourcegroups/pipelinealertrg/providers/microsoft.compute/virtualmachines/wcus-r2-gen2",
                        "/subscriptions/<subscription id>/resourceGroups/<resource group>/providers/Microsoft.Compute/virtualMachines/<resource name>",
                    ]),
                ),
                site(
                    "insights",
                    "eastus",
                    on(&[&sample(
                        "microsoft.insights/components/test-applicationInsights",
                    )]),
                ),
                site(
                    "workspace",
                    "eastus",
                    on(&[&sample(
                        "microsoft.operationalinsights/workspaces/test-logAnalyticsWorkspace",
                    )]),
                ),
                site(
                    "actions",
                    "eastus",
                    on(&[
                        "/subscriptions/a0a0a0a0-bbbb-cccc-dddd-e1e1e1e1e1e1/resourceGroups/CONTOSO-TEST/providers/Microsoft.Insights/actionGroups/IncidentActions",
                    ]),
                ),
            ],
        ),
        // Only a custom property speaks of it.
        group(
            "named",
            vec![
                site("first", "uksouth", Vec::new()),
                site("second", "ukwest", Vec::new()),
            ],
        ),
    ]
}

fn group(name: &str, sites: Vec<SiteSpec>) -> GroupSpec {
    GroupSpec {
        name: GroupName::from(name),
        tenant: None,
        policy: Policy::default(),
        sites,
    }
}

fn site(name: &str, region: &str, accounts: Vec<AccountSpec>) -> SiteSpec {
    SiteSpec {
        name: SiteName::from(name),
        region: region.to_owned(),
        accounts,
    }
}

fn indexer(subscription: &str, account: &str) -> AccountSpec {
    AccountSpec::VideoIndexer(video_indexer(subscription, account))
}

fn video_indexer(subscription: &str, account: &str) -> VideoIndexerSpec {
    VideoIndexerSpec {
        subscription_id: subscription.to_owned(),
        resource_group: "media".to_owned(),
        account_name: account.to_owned(),
        account_id: "0d8d7f3a-2b7e-4a55-8a3f-0f7b7c1d2e3f".to_owned(),
        api_base: "https://api.videoindexer.ai".to_owned(),
        arm_base: "https://management.azure.com".to_owned(),
        stuck_after: jiff::SignedDuration::from_mins(60),
        stuck_fails: false,
    }
}

fn resource(id: &str) -> AccountSpec {
    AccountSpec::MediaServices(MediaServicesSpec {
        account_name: id.rsplit('/').next().unwrap_or(id).to_owned(),
        resource_id: id.to_owned(),
        kind: MediaKind::Azure,
        arm_base: "https://management.azure.com".to_owned(),
        token: None,
        streaming_endpoints: Vec::new(),
        live_events: Vec::new(),
        workloads: vec![Workload::Encoding],
        streaming_probe: String::new(),
        canary: None,
        key_delivery: None,
        stuck_after: jiff::SignedDuration::from_mins(60),
        stuck_fails: false,
    })
}
