//! A server that another program starts: with its calls of the kernel written down, or with limits.

use std::process::Command;
use std::time::Instant;

use crate::home::{DEADLINE, Home};
use crate::server::Server;

/// None of the settings of whoever runs the tests, as a command of the home has it.
fn same_environment(as_of: &Command, command: &mut Command) {
    for (name, value) in as_of.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// A server after these words for `ulimit`. The shell becomes it, so that the process that was started is the panel.
pub fn limited(home: &Home, limit: &str) -> Command {
    let panel = home.command(["serve"]);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit {limit} && exec \"$0\" serve")).arg(panel.get_program());
    command.current_dir(home.folder());
    same_environment(&panel, &mut command);
    command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0");
    command
}

/// The calls, in their order, of a server from its start to its end.
pub fn traced(home: &Home, settings: &[(&str, &str)], options: &[&str], body: impl FnOnce(&Server)) -> String {
    let panel = home.command(["serve"]);
    let mut command = Command::new("strace");
    // Beside it, so that the process we start is the panel itself.
    command.args(["-D", "-f", "-y", "-s", "32", "-e", "signal=none", "-o", "trace"]).args(options);
    command.arg(panel.get_program()).args(panel.get_args()).current_dir(home.folder());
    same_environment(&panel, &mut command);
    command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").envs(settings.iter().copied());
    let mut server = home.start(command);
    let pid = server.pid().as_raw_nonzero().get();
    body(&server);
    assert_eq!(server.stop(), Some(0));
    let end = format!("{pid} +++ exited with 0 +++");
    let until = Instant::now() + DEADLINE;
    loop {
        let trace = String::from_utf8_lossy(&std::fs::read(home.path("trace")).unwrap()).into_owned();
        // strace pads the number.
        if trace.lines().any(|line| line.split_whitespace().eq(end.split_whitespace())) {
            return trace;
        }
        assert!(Instant::now() < until, "strace does not end: {trace}");
        std::thread::yield_now();
    }
}
