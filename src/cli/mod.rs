//! Who is asking, at a terminal: the verbs of the binary. Parse, call once, render.
//!
//! | looking for | file |
//! | --- | --- |
//! | verbs and their options | `args` |
//! | asking the app over HTTP | `client` |
//! | what went wrong, and what to do about it | `failure` |
//! | `status`, `show`, `history`, `explain` | `look` |
//! | the orders | `order` |
//! | `package`: the folder and the archive that are deployed | `package` |
//! | the answers' shapes, as far as they are shown | `shapes` |
//! | tables and lines for people | `render` |
//! | `config check` and `config schema` | `settings` |

mod args;
mod client;
mod failure;
mod look;
mod order;
mod package;
mod render;
mod runbook;
mod settings;
mod shapes;
mod signals;

use std::future::Future;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, ConfigVerb, Verb};
use client::Api;
use failure::Failure;

/// What a verb prints, or why it failed.
type Printed = Result<String, Failure>;

/// Parses the command line and runs the verb. The exit code is 0 when it is done, 1 when it was refused
/// or failed, 2 when it was asked wrongly.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => {
            // A closed pipe is no reason to fail: whoever closed it has read enough.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

fn run(cli: Cli) -> ExitCode {
    let Some(verb) = cli.verb else {
        return help();
    };
    let asks_app = verb.asks_app();
    if cli.app.json && !asks_app {
        return finish(Err(Failure::Usage(
            "--json goes with status, show, history, explain and the orders".to_owned(),
        )));
    }
    let json = cli.app.json;
    match verb {
        Verb::Serve => serve(),
        Verb::Local { port, config } => {
            let options = crate::local::Options { port, config };
            finish(block_on(async { quiet(crate::local::run(options).await) }))
        }
        Verb::Demo { port } => finish(block_on(async { quiet(crate::local::demo(port).await) })),
        Verb::Package { out, binary } => finish(package::make(&out, binary)),
        Verb::Config { what } => match what {
            ConfigVerb::Check { file } => finish(settings::check(file)),
            ConfigVerb::Schema => finish(settings::schema()),
        },
        verb => finish(block_on(async {
            let api = Api::new(&cli.app)?;
            ask_app(&api, verb, json).await
        })),
    }
}

async fn ask_app(api: &Api, verb: Verb, json: bool) -> Printed {
    match verb.into_order() {
        Ok((kind, order)) => order::give(api, kind, order, json).await,
        Err(Verb::Status(filter)) => look::status(api, &filter, json).await,
        Err(Verb::Show { group }) => look::show(api, &group, json).await,
        Err(Verb::History { group, all }) => look::history(api, &group, all, json).await,
        Err(Verb::Explain { group }) => look::explain(api, &group, json).await,
        Err(_) => Err(Failure::Usage("that verb does not ask the app".to_owned())),
    }
}

fn help() -> ExitCode {
    let text = Cli::command().render_long_help();
    if io::stdout().is_terminal() {
        finish(Ok(text.to_string()))
    } else {
        print(&mut io::stderr().lock(), &text.to_string());
        ExitCode::from(2)
    }
}

/// The handler ends only by failing: the host takes exit code 0 for a wish and does not start it again.
fn serve() -> ExitCode {
    crate::local::leash::hold();
    let ended = block_on(async { quiet(crate::functions::serve().await) });
    finish(ended.and_then(|_| {
        Err(Failure::Failed(
            "the handler stopped listening although nobody asked it to".to_owned(),
        ))
    }))
}

fn quiet(ended: Result<(), String>) -> Printed {
    ended.map(|()| String::new()).map_err(Failure::Failed)
}

fn block_on<F: Future<Output = Printed>>(work: F) -> Printed {
    tokio::runtime::Builder::new_multi_thread()
        .thread_keep_alive(crate::functions::serve::BLOCKING_KEPT_FOR)
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("no threads could be started: {error}")))?
        .block_on(work)
}

/// Prints what is to be printed, and says how it ended.
fn finish(printed: Printed) -> ExitCode {
    let (out, err, code) = match printed {
        Ok(text) => (text, String::new(), 0),
        Err(failure) => {
            let code = failure.exit_code();
            let (out, err) = failure.into_texts();
            (out, err, code)
        }
    };
    let written = print(&mut io::stdout().lock(), &out);
    print(&mut io::stderr().lock(), &err);
    if code == 0 && !written {
        return ExitCode::from(1);
    }
    ExitCode::from(code)
}

/// Whether the text was written, or its reader has closed the pipe, which means that it has read enough.
fn print(to: &mut impl Write, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let mut written = to.write_all(text.as_bytes());
    if written.is_ok() && !text.ends_with('\n') {
        written = to.write_all(b"\n");
    }
    match written.and_then(|()| to.flush()) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::BrokenPipe,
    }
}
