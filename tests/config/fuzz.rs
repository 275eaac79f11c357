//! Nothing that stands in a file or an app setting crashes the reader, and it never contradicts itself.

use proptest::prelude::*;
use understudy::config::Loaded;
use understudy::config::duration;
use understudy::config::schedule::Schedule;

use super::load_with;

const EXAMPLE: &str = include_str!("../../understudy.example.toml");
const SETTINGS: &[(&str, &str)] = &[("AzureWebJobsStorage", "UseDevelopmentStorage=true")];

/// What holds of whatever was loaded.
fn consistent(loaded: &Loaded) -> Result<(), TestCaseError> {
    let deployment = &loaded.settings.deployment;
    prop_assert_eq!(deployment.problems.len(), loaded.problems.len());
    for (name, group) in &deployment.groups {
        prop_assert_eq!(name, &group.name);
        prop_assert!(group.sites.len() >= 2);
        prop_assert!(group.policy.fail_window >= group.policy.fail_threshold);
        prop_assert!(group.sites.iter().all(|site| !site.accounts.is_empty()));
    }
    Ok(())
}

/// Texts that have meant trouble elsewhere.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[[groups]]\n".to_owned()),
        Just("[[groups.sites]]\n".to_owned()),
        Just("[groups.sites.video_indexer]\n".to_owned()),
        Just("groups = 3\n".to_owned()),
        Just("sites = [[], {}, \"x\", 3.5]\n".to_owned()),
        Just("http = { name = 1 }\n".to_owned()),
        Just("\"\" = -9223372036854775808\n".to_owned()),
        Just("[policy]\n".to_owned()),
        Just("hold = \"é\"\n".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\"\"\"".to_owned()),
        "[a-z_]{1,12} = [0-9a-z\"\\[\\]{}.:-]{0,12}\n",
        ".{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        consistent(&load_with(bytes, SETTINGS))?;
    }

    #[test]
    fn arbitrary_pieces(pieces in prop::collection::vec(piece(), 0..12)) {
        consistent(&load_with(pieces.concat(), SETTINGS))?;
    }

    #[test]
    fn an_example_with_lines_lost_doubled_and_cut(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, piece()), 1..6),
    ) {
        let mut lines: Vec<String> = EXAMPLE
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect();
        for (index, kind, piece) in edits {
            let at = index.index(lines.len());
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines.insert(at, piece),
                _ => lines[at] = lines[at].chars().take(at % 17).collect(),
            }
        }
        consistent(&load_with(lines.concat(), SETTINGS))?;
    }

    #[test]
    fn arbitrary_app_settings(
        name in "UNDERSTUDY__(POLICY|STORE|CONTROLLER|GROUPS|X)?(__)?(HOLD|KIND|ENDPOINT|SCHEDULE|CONNECTION_STRING|FAIL_WINDOW|\\PC{0,5})",
        value in prop_oneof![piece(), Just("0 0 0 29 2 1".to_owned())],
    ) {
        consistent(&load_with(EXAMPLE, &[(&name, &value)]))?;
    }

    #[test]
    fn durations(text in "[0-9hms]{0,8}|\\PC{0,8}") {
        if let Ok(duration) = duration::parse(&text) {
            prop_assert_eq!(duration::parse(&duration::render(duration)), Ok(duration));
        }
    }

    #[test]
    fn schedules(text in "([0-9*/,-]{1,5} ){4,5}[0-9*/,-]{1,5}|[0-9:]{0,9}|\\PC{0,12}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            prop_assert!(schedule.interval().is_positive());
        }
    }
}
