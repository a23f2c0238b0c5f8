//! The clock: whether it runs with the world's, and not behind what was signed.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Findings;
use super::subject::Subject;

/// When this program was written; no clock that is right shows less: 2026-01-01.
const WRITTEN_SECONDS: u64 = 1_767_225_600;

/// As much later than ours other clocks may be before clients complain.
const AHEAD_SECONDS_MAX: u64 = 5;

pub(super) fn check(subject: &Subject, findings: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let signed = subject.state.known().and_then(|known| known.checkpoint_seconds);
    if now < WRITTEN_SECONDS {
        findings.fail(
            "clock",
            "it shows a time before this program was written",
            "set the clock, and have it set: `timedatectl set-ntp true`",
        );
    } else if let Some(ahead) = signed.and_then(|signed| signed.checked_sub(now))
        && ahead > AHEAD_SECONDS_MAX
    {
        findings.fail(
            "clock",
            format!("the newest checkpoint was signed {ahead} s in the future of this clock"),
            "the clock was ahead or is behind: set it, and have it set: `timedatectl set-ntp true`",
        );
    } else {
        findings.ok("clock", "not behind what was signed");
    }
    match synchronized() {
        Some(true) => findings.ok("time service", "the clock is set by one"),
        Some(false) => findings.warn(
            "time service",
            "nothing sets the clock",
            "have it set (`timedatectl set-ntp true`): clients notice checkpoints \
                 whose time is wrong",
        ),
        None => {}
    }
}

/// Whether the system says that something sets the clock; `None` if it does not say.
fn synchronized() -> Option<bool> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}
