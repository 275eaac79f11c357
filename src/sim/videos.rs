//! The videos of an account: made up from the clock, so that ten thousand accounts cost nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::VideoIndexerAccount;

/// A video is uploaded to every account each so many seconds, and indexed in this time.
const EVERY: i64 = 600;
const INDEXING: SignedDuration = SignedDuration::from_secs(180);
/// A new upload waits this long before it is processed.
const WAITING: SignedDuration = SignedDuration::from_secs(30);
/// Videos that an account keeps: more than one page of the usual size.
const KEPT: i64 = 37;

/// What has become of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoState {
    /// It waits.
    Uploaded,
    /// It is being indexed.
    Processing,
    /// It is indexed.
    Processed,
    /// It could not be indexed.
    Failed,
    /// It is set aside by content rules.
    Quarantined,
}

impl VideoState {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "Uploaded",
            Self::Processing => "Processing",
            Self::Processed => "Processed",
            Self::Failed => "Failed",
            Self::Quarantined => "Quarantined",
        }
    }

    const fn progress(self) -> &'static str {
        match self {
            Self::Uploaded | Self::Failed | Self::Quarantined => "0%",
            Self::Processing => "20%",
            Self::Processed => "100%",
        }
    }
}

/// One video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Ten letters and digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub state: VideoState,
    /// When it was uploaded.
    pub created: Timestamp,
    /// When anything about it changed last.
    pub last_modified: Timestamp,
    /// When it was indexed last; for one that never was, its upload.
    pub last_indexed: Timestamp,
}

/// The videos of an account now, newest first. None created after `stuck_since` is ever finished.
pub(super) fn of(
    account: &VideoIndexerAccount,
    now: Timestamp,
    stuck_since: Option<Timestamp>,
) -> Vec<Video> {
    let newest = now.as_second().div_euclid(EVERY);
    (newest - KEPT + 1..=newest)
        .rev()
        .filter_map(|slot| Some((slot, Timestamp::from_second(slot * EVERY).ok()?)))
        .map(|(slot, created)| {
            let age = now.duration_since(created);
            let stuck = stuck_since.is_some_and(|since| created > since);
            let state = if age < WAITING {
                VideoState::Uploaded
            } else if stuck || age < INDEXING {
                VideoState::Processing
            } else if slot % 12 == 0 {
                VideoState::Failed
            } else {
                VideoState::Processed
            };
            let after = |by| created.checked_add(by).unwrap_or(created);
            let (last_modified, last_indexed) = match state {
                VideoState::Uploaded => (created, created),
                VideoState::Processing => (after(WAITING), created),
                _ => (after(INDEXING), after(INDEXING)),
            };
            Video {
                id: id(&account.account_id, slot),
                name: format!("recording-{slot}"),
                state,
                created,
                last_modified,
                last_indexed,
            }
        })
        .collect()
}

/// A video as the list shows it.
pub(super) fn listed(account: &VideoIndexerAccount, video: &Video) -> Value {
    let mut entry = json!({
        "accountId": account.account_id,
        "id": video.id,
        "partition": null,
        "externalId": null,
        "metadata": null,
        "name": video.name,
        "description": null,
        "created": time(video.created),
        "lastModified": time(video.last_modified),
        "lastIndexed": time(video.last_indexed),
        "privacyMode": "Private",
        "userName": "Simulated User",
        "isOwned": true,
        "isBase": true,
        "hasSourceVideoFile": true,
        "state": video.state.as_str(),
        "moderationState": "OK",
        "reviewState": "None",
        "isSearchable": true,
        "processingProgress": video.state.progress(),
        "durationInSeconds": if video.state == VideoState::Processed { 88 } else { 0 },
        "thumbnailVideoId": video.id,
        "thumbnailId": "00000000-0000-0000-0000-000000000000",
    });
    let tail = json!({
        "searchMatches": [],
        "indexingPreset": "Default",
        "streamingPreset": "Default",
        "sourceLanguage": "en-US",
        "sourceLanguages": ["en-US"],
        "personModelId": "00000000-0000-0000-0000-000000000000",
    });
    if let (Value::Object(entry), Value::Object(tail)) = (&mut entry, tail) {
        entry.extend(tail);
    }
    entry
}

/// A video's index, without the insights themselves.
pub(super) fn index(account: &VideoIndexerAccount, video: &Video) -> Value {
    let failed = video.state == VideoState::Failed;
    json!({
        "partition": null,
        "description": null,
        "privacyMode": "Private",
        "state": video.state.as_str(),
        "accountId": account.account_id,
        "id": video.id,
        "name": video.name,
        "userName": "Simulated User",
        "created": time(video.created),
        "isOwned": true,
        "isEditable": true,
        "isBase": true,
        "durationInSeconds": 88,
        "summarizedInsights": null,
        "videos": [{
            "accountId": account.account_id,
            "id": video.id,
            "state": video.state.as_str(),
            "moderationState": "OK",
            "reviewState": "None",
            "privacyMode": "Private",
            "processingProgress": video.state.progress(),
            "failureCode": if failed { "General" } else { "None" },
            "failureMessage": if failed { "The video could not be indexed." } else { "" },
            "externalId": null,
            "externalUrl": null,
            "metadata": null,
            "insights": null,
            "thumbnailId": "00000000-0000-0000-0000-000000000000",
            "sourceLanguage": "en-US",
            "sourceLanguages": ["en-US"],
            "language": "en-US",
            "languages": ["en-US"],
            "indexingPreset": "Default",
        }],
        "videosRanges": [{
            "videoId": video.id,
            "range": { "start": "0:00:00", "end": "0:01:28" },
        }],
    })
}

/// A time as the data plane writes it: seven digits and an offset.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%7f+00:00").to_string()
}

fn id(account_id: &str, slot: i64) -> String {
    let hash = Sha256::digest(format!("{account_id}/{slot}"));
    hash.iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
