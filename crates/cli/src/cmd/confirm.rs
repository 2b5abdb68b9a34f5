//! The question before anything is written.

use mailzone_engine::{Cancel, Code};

use crate::ui::Ui;

/// Asks whether to go on. Only the word `yes` does; where it seems to be meant, it is asked for once more.
///
/// # Errors
/// The exit code where the answer is no, nobody can be asked, or the run is interrupted.
pub(super) async fn confirm(changes: usize, cancel: &Cancel, ui: &Ui) -> Result<(), Code> {
    let mut question = format!("Apply {changes} change{}?", if changes == 1 { "" } else { "s" });
    for _ in 0..2 {
        let Some(answer) = ui.ask(&question) else {
            ui.error("nobody can be asked: standard input is no terminal", Some("--yes applies without asking"));
            return Err(Code::Error);
        };
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                ui.say("");
                ui.say("interrupted: nothing was written");
                return Err(Code::Interrupted);
            }
            answer = answer => answer.unwrap_or_default().trim().to_lowercase(),
        };
        match answer.as_str() {
            "yes" => return Ok(()),
            "y" | "ye" | "j" | "ja" => question = "Only the word yes applies. Apply?".into(),
            _ => break,
        }
    }
    ui.say("nothing was written");
    Err(Code::Error)
}
