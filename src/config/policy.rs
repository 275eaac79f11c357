//! The policy in force for a group, and what is wrong or unwise about it.

use jiff::SignedDuration;

use super::duration::{Span, render};
use super::node::At;
use super::raw;
use super::report::Report;
use crate::model::policy::{Mode, Policy};

/// `[policy]`: what groups inherit.
pub struct Base {
    raw: raw::Policy,
    policy: Policy,
    schedule: SignedDuration,
    max_groups_moving: u32,
    /// Whether doubt about shared settings keeps every group from moving by itself.
    observing: bool,
}

impl Base {
    /// What `[policy]` says. Reports what is wrong or unwise about it.
    pub fn new(
        raw: raw::Policy,
        max_groups_moving: u32,
        schedule: SignedDuration,
        at: At<'_>,
        report: &mut Report,
    ) -> Self {
        let policy = resolve(&raw, max_groups_moving);
        let here = at.child("policy");
        for rule in broken(&policy, schedule) {
            rule.report(&policy, schedule, here, report);
        }
        Self {
            raw,
            policy,
            schedule,
            max_groups_moving,
            observing: false,
        }
    }

    /// The same, for groups that may not be moved automatically until problems are mended.
    pub fn observing(mut self, report: &mut Report) -> Self {
        let message = "the policy is in doubt ([controller] or [policy] has problems, or a section is unknown): until that is mended, no group is moved automatically";
        report.file_warning("", message.to_owned());
        self.observing = true;
        self
    }

    /// The policy of a group. Reports what its own keys make wrong or unwise.
    pub fn for_group(&self, own: Option<&raw::Policy>, at: At<'_>, report: &mut Report) -> Policy {
        let mut policy = match own {
            None => self.policy.clone(),
            Some(own) => {
                let policy = resolve(&own.over(&self.raw), self.max_groups_moving);
                for rule in broken(&policy, self.schedule) {
                    let inherited = (rule.broken)(&self.policy, self.schedule)
                        && (rule.say)(&self.policy, self.schedule)
                            == (rule.say)(&policy, self.schedule);
                    if !inherited {
                        rule.report(&policy, self.schedule, at, report);
                    }
                }
                policy
            }
        };
        // A window that is too short was reported; whatever uses the policy may rely on it.
        policy.fail_window = policy.fail_window.max(policy.fail_threshold);
        if self.observing {
            policy.mode = Mode::Observe;
        }
        policy
    }
}

fn resolve(raw: &raw::Policy, max_groups_moving: u32) -> Policy {
    let or = |given: Option<Span>, default: SignedDuration| given.map_or(default, |span| span.0);
    let default = Policy::default();
    let fail_threshold = raw.fail_threshold.unwrap_or(default.fail_threshold);
    Policy {
        mode: raw.mode.unwrap_or(default.mode),
        probe_interval: or(raw.probe_interval, default.probe_interval),
        probe_timeout: or(raw.probe_timeout, default.probe_timeout),
        latency_limit: or(raw.latency_limit, default.latency_limit),
        fail_threshold,
        fail_window: raw.fail_window.unwrap_or(fail_threshold),
        recover_threshold: raw.recover_threshold.unwrap_or(default.recover_threshold),
        hold: or(raw.hold, default.hold),
        cooldown: or(raw.cooldown, default.cooldown),
        max_moves_per_day: raw.max_moves_per_day.unwrap_or(default.max_moves_per_day),
        prepare_timeout: or(raw.prepare_timeout, default.prepare_timeout),
        alert: raw.alert.unwrap_or(default.alert),
        alert_ttl: or(raw.alert_ttl, default.alert_ttl),
        failback: raw.failback.unwrap_or(default.failback),
        failback_after: or(raw.failback_after, default.failback_after),
        standby: raw.standby.unwrap_or(default.standby),
        max_groups_moving,
    }
}

/// Something that can be wrong or unwise about a policy and the time between two firings of the timer.
struct Rule {
    key: &'static str,
    wrong: bool,
    broken: fn(&Policy, SignedDuration) -> bool,
    say: fn(&Policy, SignedDuration) -> String,
}

impl Rule {
    fn report(&self, policy: &Policy, schedule: SignedDuration, at: At<'_>, report: &mut Report) {
        let message = (self.say)(policy, schedule);
        if self.wrong {
            report.problem(at.child(self.key), message);
        } else {
            report.warning(at.child(self.key), message);
        }
    }
}

fn broken(policy: &Policy, schedule: SignedDuration) -> impl Iterator<Item = &'static Rule> {
    RULES
        .iter()
        .filter(move |rule| (rule.broken)(policy, schedule))
}

const RULES: [Rule; 6] = [
    Rule {
        key: "fail_window",
        wrong: true,
        broken: |policy, _| policy.fail_window < policy.fail_threshold,
        say: |policy, _| {
            format!(
                "{} is less than fail_threshold ({}): so many rounds can not fail among so few",
                policy.fail_window, policy.fail_threshold
            )
        },
    },
    Rule {
        key: "probe_interval",
        wrong: false,
        broken: |policy, schedule| policy.probe_interval < schedule,
        say: |policy, schedule| {
            format!(
                "{} is shorter than the timer's schedule: rounds are up to {} apart",
                render(policy.probe_interval),
                render(schedule)
            )
        },
    },
    Rule {
        key: "probe_timeout",
        wrong: false,
        broken: |policy, _| policy.probe_timeout >= policy.probe_interval,
        say: |policy, _| {
            format!(
                "{} is not shorter than probe_interval ({}): a round may last until the next is due",
                render(policy.probe_timeout),
                render(policy.probe_interval)
            )
        },
    },
    Rule {
        key: "latency_limit",
        wrong: false,
        broken: |policy, _| policy.latency_limit >= policy.probe_timeout,
        say: |policy, _| {
            format!(
                "{} is not shorter than probe_timeout ({}): no answer is ever called slow",
                render(policy.latency_limit),
                render(policy.probe_timeout)
            )
        },
    },
    Rule {
        key: "fail_threshold",
        wrong: false,
        broken: |policy, _| policy.fail_threshold == 1,
        say: |_, _| "1 makes an account unhealthy at its first failed round".to_owned(),
    },
    Rule {
        key: "hold",
        wrong: false,
        broken: |policy, _| policy.hold < policy.probe_interval,
        say: |policy, _| {
            format!(
                "{} is shorter than probe_interval ({}): a group moves before the failed site is looked at again",
                render(policy.hold),
                render(policy.probe_interval)
            )
        },
    },
];
