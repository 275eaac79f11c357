//! The way of a request through the simulator: read, count, meet the faults, answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use tokio::sync::watch;

use super::call::{self, Call, Kind, Place};
use super::faults::{Effect, Fault, Service};
use super::line::{Lines, Scissors};
use super::{State, arm, http, identity, panel, video_indexer};

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
        "arm" => Some(arm::place(state, call)),
        "vi" => Some(video_indexer::place(state, call)),
        "http" => Some(http::place(state, call)),
        "control" => Some(Place::of(Service::Control, Kind::Control)),
        _ => None,
    }
}

/// The answer under the faults that are set; `None` closes the connection without one.
async fn meet(state: &State, call: &Call, place: &Place) -> Option<Response> {
    let mendings = state.board.watch();
    let effect = state.board.meet(place.service, &place.region, &place.name);
    if let Some(by) = effect.slow {
        tokio::select! {
            () = tokio::time::sleep(by) => {}
            () = state.over.cancelled() => return None,
        }
    }
    match effect.answer {
        None => Some(right(state, call, place, effect)),
        Some(Fault::Down) => None,
        Some(Fault::Hang) => {
            hang(state, place, mendings).await;
            None
        }
        Some(Fault::Garbage) => Some(call::garbage()),
        Some(Fault::Drop) => Some(call::cut_short(right(state, call, place, effect)).await),
        Some(fault) => Some(match place.service {
            Service::Identity => identity::refuse(fault),
            Service::Arm => arm::refuse(place, call, fault),
            Service::VideoIndexer => video_indexer::refuse(fault),
            Service::Http | Service::Control => http::refuse(fault),
        }),
    }
}

fn right(state: &State, call: &Call, place: &Place, effect: Effect) -> Response {
    match place.service {
        Service::Identity => identity::answer(state, call),
        Service::Arm => arm::answer(state, call),
        Service::VideoIndexer => video_indexer::answer(state, call, effect.stuck_since),
        Service::Http => http::answer(state, call),
        Service::Control => http::control(),
    }
}

/// Waits until the fault is mended or the simulator ends. The client may leave before: then this is
/// dropped. A fault that was set for a number of requests ends at the next mending of anything.
async fn hang(state: &State, place: &Place, mut mendings: watch::Receiver<u64>) {
    loop {
        tokio::select! {
            mended = mendings.changed() => if mended.is_err() { return },
            () = state.over.cancelled() => return,
        }
        if !state.board.hangs(place.service, &place.region, &place.name) {
            return;
        }
    }
}
