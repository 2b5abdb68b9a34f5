//! `mailzone try`: a worked example on this machine.

use std::path::Path;

use mailzone_engine::Code;

use crate::args::{ApplyArgs, AskArgs, Format, Global, LatencyArgs, PlanArgs, Planning, Servers, TryArgs, WaitFor};
use crate::ui::Ui;

use super::shared::only;

/// The project that is written, as it stands in `examples/try`.
const FILES: &[(&str, &str)] = &[
    ("mailzone.toml", include_str!("../../../../examples/try/mailzone.toml")),
    ("keys/s2026.txt", include_str!("../../../../examples/try/keys/s2026.txt")),
    ("parked.txt", include_str!("../../../../examples/try/parked.txt")),
    ("zones/example.test.zone", include_str!("../../../../examples/try/zones/example.test.zone")),
    ("zones/parked-one.test.zone", include_str!("../../../../examples/try/zones/parked-one.test.zone")),
    ("zones/parked-two.test.zone", include_str!("../../../../examples/try/zones/parked-two.test.zone")),
];

/// Tells that a directory was made by `try` and may be written anew.
const MARKER: &str = ".mailzone-try";

/// The domain that is verified and measured.
const DOMAIN: &str = "example.test";

/// Writes a small project, then plans, applies, verifies and measures it, on loopback alone.
pub(super) fn run(global: &Global, args: &TryArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text], ui)?;
    write_project(&args.dir).map_err(|message| {
        ui.error(&message, Some("name a new or empty directory"));
        Code::Error
    })?;
    let dir = args.dir.display().to_string();
    let global = &Global { config: vec![args.dir.join("mailzone.toml")], state_dir: None, ..global.clone() };
    let planning = Planning { allow: Vec::new(), normalize: false, no_look: false, full: false };
    let servers = || Servers { resolver: Vec::new(), nameserver: Vec::new() };

    ui.say(&format!("wrote a small project to {dir}: a domain with old records, and two parked domains"));
    step(ui, "mailzone plan", "what would change, and why");
    let plan =
        PlanArgs { domains: Vec::new(), out: None, detailed_exitcode: false, base: None, planning: planning.clone() };
    done(super::plan::run(global, &plan, ui)?)?;
    step(ui, "mailzone apply --yes", "do exactly that, in a safe order");
    let apply = ApplyArgs { targets: Vec::new(), yes: true, wait: WaitFor::Authoritative, planning };
    done(super::apply::run_without_plan(global, &apply, ui)?)?;
    step(ui, &format!("mailzone verify {DOMAIN}"), "is it visible at every name server?");
    let verify = AskArgs { domains: vec![DOMAIN.into()], servers: servers(), wait: WaitFor::None };
    done(super::verify::run(global, &verify, ui)?)?;
    step(ui, &format!("mailzone latency {DOMAIN}"), "how fast do they answer?");
    let latency = LatencyArgs { domains: vec![DOMAIN.into()], servers: servers(), samples: None };
    done(super::latency::run(global, &latency, ui)?)?;
    step(ui, "mailzone plan", "nothing is left to do");
    let again = PlanArgs { detailed_exitcode: true, ..plan };
    done(super::plan::run(global, &again, ui)?)?;
    ui.talk("");
    ui.say(&format!("look around: cd {dir}; edit mailzone.toml; mailzone plan"));
    Ok(Code::Done)
}

/// Heads a step with the command that a person would type.
fn step(ui: &Ui, command: &str, meaning: &str) {
    ui.talk(&format!("\n$ {command}    # {meaning}"));
}

fn done(code: Code) -> Result<(), Code> {
    if code == Code::Done { Ok(()) } else { Err(code) }
}

fn write_project(dir: &Path) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    let ours = dir.join(MARKER).is_file();
    let mut entries = std::fs::read_dir(dir).map_err(|error| failed(dir, error))?;
    if !ours && entries.next().is_some() {
        return Err(format!("{} is not empty", dir.display()));
    }
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        std::fs::write(&path, text).map_err(|error| failed(&path, error))
    };
    write(MARKER, "This directory was made by `mailzone try`, which may write its files anew.\n")?;
    for (name, text) in FILES {
        write(name, text)?;
    }
    Ok(())
}
