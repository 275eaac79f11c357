//! The way of a request through the simulator: read, count, meet the faults, answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use tokio::sync::watch;

use super::board::Effect;
use super::call::{self, Call, Kind, Place};
use super::faults::{Fault, Service};
use super::line::{Lines, Scissors};
use super::{State, arm, http, identity, media, panel, video_indexer};

/// Serves until the simulator is over.
pub(super) async fn run(lines: Lines, state: Arc<State>) {
    let over = state.over.clone();
    let app = Router::new()
        .fallback(handle)
        .with_state(state)
        .into_make_service_with_connect_info::<Scissors>();
    let served = axum::serve(lines, app).with_graceful_shutdown(over.cancelled_owned());
    if let Err(error) = served.await {
        tracing::warn!(%error, "the simulator's listener ended");
    }
}

async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (call, first) = match Call::read(request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let Some(place) = place(&state, &call, &first.to_ascii_lowercase()) else {
        return match first.as_str() {
            "sim" => panel::answer(&state, &call),
            _ => call::text(404, panel::SIGNPOST),
        };
    };
    let mut visit = state.tally.arrived(place.clone());
    let response = meet(&state, &call, &place).await;
    match response {
        Some(response) => {
            visit.answered(response.status().as_u16());
            response
        }
        None => {
            scissors.cut();
            call::text(500, "")
        }
    }
}

fn place(state: &State, call: &Call, first: &str) -> Option<Place> {
    match first {
        "msi" => Some(identity::place()),
        "arm" => Some(media::arm_place(state, call).unwrap_or_else(|| arm::place(state, call))),
        "mkio" => Some(media::mkio_place(state, call)),
        "stream" => Some(media::hosts::place(state, call)),
        "keys" => Some(media::hosts::key_place(state, call)),
        "vi" => Some(video_indexer::place(state, call)),
        "http" => Some(http::place(state, call)),
        "control" => Some(Place::of(Service::Control, Kind::Control)),
        _ => None,
    }
}

/// The answer under the faults that are set; `None` closes the connection without one.
async fn meet(state: &State, call: &Call, place: &Place) -> Option<Response> {
    let mendings = state.board.watch();
    let effect = state.board.meet(place);
    if let Some(by) = effect.slow {
        tokio::select! {
            () = tokio::time::sleep(by) => {}
            () = state.over.cancelled() => return None,
        }
    }
    match effect.answer {
        None => right(state, call, place, effect),
        Some(Fault::Down) => None,
        Some(Fault::Hang) => {
            hang(state, place, mendings).await;
            None
        }
        Some(Fault::Garbage) => Some(call::garbage()),
        Some(Fault::Drop) => Some(call::cut_short(right(state, call, place, effect)?).await),
        Some(Fault::Lost) => {
            // It is done, and nobody is told.
            drop(right(state, call, place, effect));
            None
        }
        Some(fault) => Some(match place.service {
            Service::Identity => identity::refuse(fault),
            Service::Arm => arm::refuse(state, place, call, fault),
            Service::VideoIndexer => video_indexer::refuse(fault),
            Service::MediaServices => media::refuse(state, place, call, fault),
            Service::Streaming | Service::KeyDelivery => media::hosts::refuse(fault),
            Service::Http | Service::Control => http::refuse(fault),
        }),
    }
}

/// The answer where nothing is broken; `None` where nobody is there to give one.
fn right(state: &State, call: &Call, place: &Place, effect: Effect) -> Option<Response> {
    Some(match place.service {
        Service::Identity => identity::answer(state, call),
        Service::Arm => arm::answer(state, call),
        Service::VideoIndexer => video_indexer::answer(state, call, effect.stuck_since),
        Service::MediaServices => media::answer(state, call, place, effect.stuck_since),
        Service::Streaming => return media::hosts::answer(state, call),
        Service::KeyDelivery => media::hosts::keys(state, call),
        Service::Http => http::answer(state, call),
        Service::Control => http::control(),
    })
}

/// Waits until the fault is mended or the simulator ends. The client may leave before: then this is
/// dropped. A fault that was set for a number of requests ends at the next mending of anything.
async fn hang(state: &State, place: &Place, mut mendings: watch::Receiver<u64>) {
    loop {
        tokio::select! {
            mended = mendings.changed() => if mended.is_err() { return },
            () = state.over.cancelled() => return,
        }
        if !state.board.hangs(place) {
            return;
        }
    }
}
