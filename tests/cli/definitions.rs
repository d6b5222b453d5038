//! Completions and the manual come from the same definitions as the command line, and need neither settings nor a database.

use crate::home::Home;

const COMMANDS: [&str; 8] = ["serve", "user", "package", "reseller", "key", "service", "nas", "subscriber"];

#[test]
fn an_unknown_shell_is_wrong_usage() {
    let ran = Home::new().run(["completions", "csh"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("bash") && ran.stderr.contains("fish"), "{ran:?}");
}

#[test]
fn completions_of_each_shell_know_every_command() {
    let home = Home::new();
    for (shell, sign) in [("bash", "complete -F _panel"), ("zsh", "#compdef panel"), ("fish", "complete -c panel")] {
        let ran = home.run(["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert!(ran.stdout.contains(sign), "{shell}: {}", ran.stdout.lines().next().unwrap_or_default());
        for command in COMMANDS {
            assert!(ran.stdout.contains(command), "{shell} does not know {command}");
        }
    }
    assert_eq!(home.contents(), [], "nothing is made");
}

#[test]
fn the_manual_shows_every_command_with_its_options_even_where_a_setting_is_wrong() {
    let home = Home::new();
    home.write("panel.toml", "[server]\nworkers = \"many\"\n");
    let ran = home.run(["man"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stdout.contains(".TH panel 1"), "{}", ran.stdout.lines().take(5).collect::<Vec<_>>().join("\n"));
    for words in COMMANDS.into_iter().chain(["\\-\\-grace", "\\-\\-transfer\\-to", "\\-\\-dry\\-run"]) {
        assert!(ran.stdout.contains(words), "the manual does not tell of {words}");
    }
}
