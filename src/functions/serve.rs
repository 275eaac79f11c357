//! The custom handler's life: open the port, answer the host, then put the app together behind it.

use std::convert::Infallible;
use std::future::ready;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::IncomingStream;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tower::service_fn;

use super::connections::{Connection, Reception};
use super::gate::{App, Gate, Key};
use super::router::{answer, router};
use crate::adapters::activation::Activator;
use crate::adapters::azure::identity::Identity;
use crate::adapters::http;
use crate::adapters::probe::Prober;
use crate::adapters::store::Store;
use crate::config::{self, Env};
use crate::controller::Controller;
use crate::model::words::count;
use crate::telemetry;

/// A thread for what takes long ends after so long without work: what it has freed goes back only then.
pub const BLOCKING_KEPT_FOR: Duration = Duration::from_secs(1);

/// Where the host says on which port it will call.
pub const PORT_SETTING: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// Runs the custom handler until it is killed.
///
/// # Errors
/// When the port is missing, no port, or taken; when the app cannot be put together at all. A bad
/// configuration is no error: it is told by `health`, and the good groups are served.
pub async fn serve() -> Result<(), String> {
    telemetry::init();
    let env: Env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let port = port(&env)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("127.0.0.1:{port} ({PORT_SETTING}) cannot be opened: {error}"))?;
    serve_on(listener, env).await
}

/// The same on a port that is open already. Only the host reaches it, over the loopback address; what it may
/// do with its connections stands in [`super::connections`]. Bodies have a deadline, answers have theirs.
///
/// # Errors
/// When the app cannot be put together, or the port is lost.
pub async fn serve_on(listener: TcpListener, env: Env) -> Result<(), String> {
    let reception =
        Reception::open(listener).map_err(|error| format!("the port was lost: {error}"))?;
    let (gate, key) = Gate::closed();
    let serving = async {
        let doors = router(gate);
        let connected = service_fn(move |stream: IncomingStream<'_, Reception>| {
            let (connection, doors) = (Connection::of(&stream), doors.clone());
            ready(Ok::<_, Infallible>(service_fn(move |request| {
                let (connection, doors) = (connection.clone(), doors.clone());
                async move { Ok::<_, Infallible>(connection.attend(answer(doors, request)).await) }
            })))
        });
        match axum::serve(reception, connected).await {
            Ok(()) => Err("the port was closed".to_owned()),
            Err(error) => Err(format!("the port was lost: {error}")),
        }
    };
    let ((), ()) = tokio::try_join!(serving, start(env, &key))?;
    Ok(())
}

async fn start(env: Env, key: &Key) -> Result<(), String> {
    let app = on_own_thread(move || put_together(&env)).await??;
    let (_workers, threads) = Workers::start()?;
    let controller = Arc::clone(&app.controller);
    controller.work_on(threads);
    key.open(Arc::new(app));
    // A first answer for every group is at hand should the store fail next.
    controller.warm().await;
    // The workers live as long as the app does.
    std::future::pending().await
}

/// Does this on a thread that ends with it, so that what was freed goes back before there is other work: of a
/// configuration of ten thousand groups that is most of what it took to read.
async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, ended) = oneshot::channel();
    let runtime = Handle::current();
    std::thread::Builder::new()
        .name("understudy-start".to_owned())
        .spawn(move || {
            let _entered = runtime.enter();
            // Whoever waits may have been ended.
            let _ = done.send(work());
        })
        .map_err(|error| format!("no thread could be started: {error}"))?;
    ended.await.map_err(|_| "the start was lost".to_owned())
}

/// Threads for everything that is more than an answer, as many as there are cores.
struct Workers(Option<Runtime>);

impl Workers {
    fn start() -> Result<(Self, Handle), String> {
        let threads = Builder::new_multi_thread()
            .thread_name("understudy-work")
            .thread_keep_alive(BLOCKING_KEPT_FOR)
            .enable_all()
            .build()
            .map_err(|error| format!("no threads could be started: {error}"))?;
        let handle = threads.handle().clone();
        Ok((Self(Some(threads)), handle))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Nobody who waits may end threads by waiting for them.
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

fn put_together(env: &Env) -> Result<App, String> {
    let loaded = config::load(&config::path(env), env);
    for problem in &loaded.problems {
        tracing::error!("configuration: {}", problem);
    }
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {}", warning);
    }
    let mut settings = loaded.settings;
    let (client, lack) = http::checked_client()?;
    if let Some(lack) = lack {
        tracing::warn!("{lack}");
        // Where nothing is asked over TLS, nothing is missing.
        if settings.deployment.probes_over_tls() || Store::is_over_tls(&settings.store) {
            settings.deployment.problems.push(lack);
        }
    }
    let identity = Identity::from_settings(&client, &|name| env.get(name).cloned());
    let store = Store::connect(&settings.store, &client, &identity);
    tracing::info!(
        "understudy {} serves {} from {}; its record is in {}",
        env!("CARGO_PKG_VERSION"),
        count(settings.deployment.groups.len(), "group"),
        settings.deployment.vantage,
        store.place()
    );
    let prober = Prober::new(client.clone(), identity.clone());
    let activator = Activator::new(client, identity);
    let controller = Controller::new(settings.deployment, store, prober, activator);
    Ok(App::new(controller, settings.trust_principal))
}

fn port(env: &Env) -> Result<u16, String> {
    let Some(text) = env.get(PORT_SETTING) else {
        return Err(format!(
            "{PORT_SETTING} is not set: the Functions host starts `serve` and sets it; on your machine run `understudy local`"
        ));
    };
    text.trim()
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| {
            format!(
                "{PORT_SETTING} is `{}`, not a port from 1 to 65535",
                super::input::short(text)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_from_1() {
        let with = |text: &str| port(&Env::from([(PORT_SETTING.to_owned(), text.to_owned())]));
        assert_eq!(with("7071"), Ok(7071));
        assert_eq!(with(" 80 "), Ok(80));
        for text in ["", "0", "-1", "65536", "seven"] {
            assert!(with(text).unwrap_err().contains(PORT_SETTING), "{text}");
        }
        assert!(port(&Env::new()).unwrap_err().contains("understudy local"));
    }
}
