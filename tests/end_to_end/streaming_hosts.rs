//! Lookups send viewers to the streaming hosts that probes have seen, from the record.

use serde_json::json;
use understudy::sim::{ResourceState, World};

use crate::stage::{Stage, counted_round, fire, get, quick, site, until};

const GROUP: &str = "/api/groups/contoso";
const LOOKUP: &str = "/api/groups/contoso/active";

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_learned_once_and_a_flip_hands_out_the_others() {
    let stage = Stage::set(World::two_regions_streaming(), quick()).await;
    let timer = stage.handler().await;
    let hosts = |number: usize| {
        let host = stage.sim.world().media[number].host_name("default");
        json!({ "default": host })
    };
    counted_round(&timer).await;
    let lookup = get(&timer, LOOKUP).await;
    assert_eq!(
        lookup["accounts"]["mediaServices"]["streamingHosts"],
        hosts(0)
    );

    // From then on a quiet tick leaves the record alone.
    let before = stage.rows_of("group").await;
    for _ in 0..3 {
        counted_round(&timer).await;
    }
    assert_eq!(stage.rows_of("group").await, before);
    let group = get(&timer, GROUP).await;
    assert_eq!(site(&group, "westeurope")["verdict"], "healthy", "{group}");
    let north = site(&group, "northeurope");
    assert_eq!(north["verdict"], "degraded", "{group}");
    let accounts = north["accounts"].as_array().unwrap();
    let media = accounts
        .iter()
        .find(|each| each["service"] == "mediaServices");
    let detail = media.unwrap()["lastProbe"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("streaming endpoint default is Stopped"),
        "{detail}"
    );

    // Somebody stops what the active site streams: its viewers get nothing.
    let stopped = ResourceState::Stopped;
    stage
        .sim
        .set_media_state("ms-weu", "streamingEndpoints/default", stopped);
    let lookup = until("the group has moved", async || {
        fire(&timer).await;
        let lookup = get(&timer, LOOKUP).await;
        (lookup["generation"] == 1).then_some(lookup)
    })
    .await;
    assert_eq!(lookup["site"], "northeurope");
    assert_eq!(
        lookup["accounts"]["mediaServices"]["streamingHosts"],
        hosts(1)
    );
}
