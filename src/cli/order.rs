//! Giving an order: ask back on a terminal, send it, say what became of it.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::{Map, Value, json};

use super::Printed;
use super::args::OrderArgs;
use super::client::{Api, Reply};
use super::failure::Failure;
use super::render;
use super::shapes::{DryRun, Group};
use crate::model::order::OrderKind;

/// The status of an answer to an order whose move is under way.
const ACCEPTED: u16 = 202;

/// Gives the order.
pub(super) async fn give(api: &Api, kind: OrderKind, mut order: OrderArgs, json: bool) -> Printed {
    let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if on_terminal {
        let mut answers = io::stdin().lock();
        let mut questions = io::stdout().lock();
        ask(kind, &mut order, &mut answers, &mut questions)?;
    }
    need_reason(kind, &order)?;
    let reply = api
        .post(&order.group, kind.as_str(), &body(&order), json)
        .await?;
    told(kind, &order, reply, json)
}

/// Asks for a missing reason, and whether it is meant.
fn ask(
    kind: OrderKind,
    order: &mut OrderArgs,
    answers: &mut impl BufRead,
    questions: &mut impl Write,
) -> Result<(), Failure> {
    if kind.needs_reason() && order.reason.is_none() {
        order.reason = Some(line("Reason (kept in the history): ", answers, questions)?);
        need_reason(kind, order)?;
    }
    if order.yes || order.dry_run || kind == OrderKind::Drill {
        return Ok(());
    }
    let answer = line(
        &format!("{} [y/N] ", question(kind, order)),
        answers,
        questions,
    )?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::Failed(
            "not confirmed; nothing was sent".to_owned(),
        ))
    }
}

fn line(
    question: &str,
    answers: &mut impl BufRead,
    questions: &mut impl Write,
) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("the terminal failed: {error}"));
    questions.write_all(question.as_bytes()).map_err(failed)?;
    questions.flush().map_err(failed)?;
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().to_owned())
}

fn question(kind: OrderKind, order: &OrderArgs) -> String {
    let group = &order.group;
    let to = order.to.as_ref().map_or_else(
        || "the best other site".to_owned(),
        |site| render::plain(site),
    );
    let force = if order.force {
        ", even if it is not fit"
    } else {
        ""
    };
    match kind {
        OrderKind::Failover => format!("Fail over {group} to {to}{force}?"),
        OrderKind::Switchover => format!("Switch {group} over to {to}{force}?"),
        OrderKind::Failback => format!("Fail {group} back to its primary{force}?"),
        OrderKind::Cancel => format!("Give up the move of {group}?"),
        OrderKind::Pause => format!(
            "Pause automatic moves of {group} for {}?",
            order.lasting.as_deref().unwrap_or("60m")
        ),
        OrderKind::Resume => format!("Resume automatic moves of {group}?"),
        OrderKind::Acknowledge => {
            format!("Acknowledge {group}, so that it may move by itself again?")
        }
        OrderKind::Drill => format!("Rehearse a switchover of {group} to {to}?"),
    }
}

fn need_reason(kind: OrderKind, order: &OrderArgs) -> Result<(), Failure> {
    let given = order
        .reason
        .as_ref()
        .is_some_and(|reason| !reason.trim().is_empty());
    if given || !kind.needs_reason() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{} needs a reason, which the history keeps: --reason \"...\"",
        kind.as_str()
    )))
}

fn body(order: &OrderArgs) -> Value {
    let mut body = Map::new();
    if let Some(reason) = order.reason.as_ref().filter(|text| !text.trim().is_empty()) {
        body.insert("reason".to_owned(), json!(reason));
    }
    if let Some(to) = &order.to {
        body.insert("to".to_owned(), json!(to));
    }
    body.insert("force".to_owned(), json!(order.force));
    body.insert("dryRun".to_owned(), json!(order.dry_run));
    if let Some(generation) = order.if_generation {
        body.insert("ifGeneration".to_owned(), json!(generation));
    }
    if let Some(lasting) = &order.lasting {
        body.insert("for".to_owned(), json!(lasting));
    }
    Value::Object(body)
}

fn told(kind: OrderKind, order: &OrderArgs, reply: Reply, json: bool) -> Printed {
    let name = &order.group;
    if order.dry_run {
        let answer: DryRun = reply.read()?;
        let text = if json {
            reply.body
        } else {
            render::dry_run(name, kind.as_str(), &answer)
        };
        // A script may use it as a gate: what would be refused ends like what is refused.
        let is_refused = answer.would.is_none() && answer.hold.is_some();
        return if is_refused {
            Err(Failure::Findings(text))
        } else {
            Ok(text)
        };
    }
    let group: Group = reply.read()?;
    if json {
        return Ok(reply.body);
    }
    let mut lines = Vec::new();
    if reply.status == ACCEPTED {
        let what = group.moving.as_ref().map_or_else(
            || "a move".to_owned(),
            |moving| format!("a {}", render::move_line(moving)),
        );
        lines.push(format!("{name}: {what} is under way"));
        lines.push(format!("Watch it: understudy show {name}"));
    } else {
        let became = if group.nothing_to_do {
            format!("nothing to do for {}", kind.as_str())
        } else {
            format!("{} done", kind.as_str())
        };
        lines.push(format!("{name}: {became}"));
        lines.push(render::serving(&group));
        lines.extend(render::paused(&group));
        if kind == OrderKind::Drill {
            lines.push(format!("What it found: understudy history {name}"));
        }
    }
    Ok(format!("{}\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderArgs {
        OrderArgs {
            group: "contoso".to_owned(),
            reason: None,
            to: Some("northeurope".to_owned()),
            force: false,
            dry_run: false,
            if_generation: None,
            lasting: None,
            yes: false,
        }
    }

    fn asked(kind: OrderKind, order: &mut OrderArgs, typed: &str) -> (Result<(), Failure>, String) {
        let mut questions = Vec::new();
        let answer = ask(kind, order, &mut typed.as_bytes(), &mut questions);
        (answer, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn on_a_terminal_it_asks_for_the_reason_and_whether_it_is_meant() {
        let mut given = order();
        let (answer, seen) = asked(OrderKind::Failover, &mut given, "region is down\nYES\n");
        assert_eq!(answer, Ok(()));
        assert_eq!(given.reason.as_deref(), Some("region is down"));
        assert_eq!(
            seen,
            "Reason (kept in the history): Fail over contoso to northeurope? [y/N] "
        );
    }

    #[test]
    fn anything_but_yes_sends_nothing() {
        for typed in ["", "\n", "n\n", "yep\n"] {
            let mut given = order();
            given.reason = Some("why".to_owned());
            let (answer, _) = asked(OrderKind::Switchover, &mut given, typed);
            assert_eq!(answer.unwrap_err().exit_code(), 1, "{typed:?}");
        }
    }

    #[test]
    fn yes_dry_runs_and_drills_are_not_asked() {
        let ready = || OrderArgs {
            reason: Some("why".to_owned()),
            ..order()
        };
        let yes = OrderArgs {
            yes: true,
            ..ready()
        };
        let dry = OrderArgs {
            dry_run: true,
            ..ready()
        };
        for (kind, mut given) in [
            (OrderKind::Failover, yes),
            (OrderKind::Failover, dry),
            (OrderKind::Drill, order()),
        ] {
            let (answer, seen) = asked(kind, &mut given, "");
            assert_eq!((answer, seen.as_str()), (Ok(()), ""));
        }
    }

    #[test]
    fn an_empty_reason_is_none() {
        let mut given = order();
        let (answer, _) = asked(OrderKind::Pause, &mut given, "  \n");
        assert_eq!(answer.unwrap_err().exit_code(), 2);
    }

    #[test]
    fn every_question_names_its_group() {
        for kind in OrderKind::ALL {
            assert!(question(kind, &order()).contains("contoso"), "{kind:?}");
        }
    }
}
