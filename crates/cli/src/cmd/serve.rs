//! `mailzone serve`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailzone_config::ProviderSettings;
use mailzone_engine::Code;
use mailzone_provider::{Provider, ProviderId};
use mailzone_provider_zonefile::ZoneFileProvider;
use mailzone_record::Name;
use mailzone_server::{Handle, Server};

use crate::args::{Global, ServeArgs};
use crate::context::{self, today};
use crate::embedded;
use crate::ui::Ui;

use super::shared::Signals;

/// How often the directory is looked at for changed files.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Serves zone files until it is interrupted; picks up changed files by itself.
pub(super) fn run(global: &Global, args: &ServeArgs, ui: &Ui) -> Result<Code, Code> {
    if !args.listen.ip().is_loopback() && !args.public {
        ui.error(
            &format!("{} is not a loopback address", args.listen.ip()),
            Some("--public serves to everybody who can reach this machine"),
        );
        return Err(Code::Error);
    }
    let directories = directories(global, args, ui)?;
    let providers: Vec<Arc<dyn Provider>> = directories
        .iter()
        .map(|directory| {
            let id = ProviderId::new(directory.display().to_string());
            Arc::new(ZoneFileProvider::new(id, directory.clone(), Arc::new(today))) as Arc<dyn Provider>
        })
        .collect();
    context::runtime(ui)?.block_on(async {
        let mut zones = Vec::new();
        for provider in &providers {
            provider.zones().await.map_err(|error| {
                ui.error(&error.to_string(), Some(&error.remedy));
                Code::Error
            })?;
            zones.extend(embedded::load(provider.as_ref(), ui).await);
        }
        let mut served: Vec<Name> = zones.iter().map(|zone| zone.apex().clone()).collect();
        let server = Server::start(args.listen, zones).await.map_err(|error| {
            ui.error(&error.to_string(), Some("stop what answers there, or choose another port with --listen"));
            Code::Error
        })?;
        if !ui.data(&format!("listening {}\n", server.local_addr())) {
            return Ok(Code::Done);
        }
        let mut signals = Signals::listen();
        // One future from here on: a new one in each turn would miss what comes between two turns.
        let mut interrupted = std::pin::pin!(async move {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        });
        let zones = if served.len() == 1 { "1 zone".to_owned() } else { format!("{} zones", served.len()) };
        ui.say(&format!("serving {zones}; Ctrl-C ends it"));
        let mut stamps = stamps(&directories);
        let mut ticks = tokio::time::interval(LOOK_AGAIN);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut interrupted => break,
                _ = ticks.tick() => {}
            }
            let now = self::stamps(&directories);
            if now != stamps {
                stamps = now;
                served = reload(&providers, &server.handle(), served, ui).await;
            }
        }
        server.stop().await;
        Ok(Code::Done)
    })
}

fn directories(global: &Global, args: &ServeArgs, ui: &Ui) -> Result<Vec<PathBuf>, Code> {
    if let Some(directory) = &args.directory {
        return Ok(vec![directory.clone()]);
    }
    let settings = context::load(global, ui)?;
    let mut directories: Vec<PathBuf> = Vec::new();
    for table in settings.providers.values() {
        let ProviderSettings::Zonefile(files) = &table.value else { continue };
        if !directories.contains(&files.directory) {
            directories.push(files.directory.clone());
        }
    }
    if directories.is_empty() {
        ui.error("the configuration has no provider of type zonefile", Some("name a directory with --directory"));
        return Err(Code::Error);
    }
    Ok(directories)
}

/// Serves what the directories hold now. A file that cannot be read now keeps the zone that was served.
async fn reload(providers: &[Arc<dyn Provider>], handle: &Handle, served: Vec<Name>, ui: &Ui) -> Vec<Name> {
    let mut listed: Vec<Name> = Vec::new();
    for provider in providers {
        match provider.zones().await {
            Ok(zones) => listed.extend(zones.into_iter().map(|zone| zone.name)),
            Err(error) => {
                ui.warn(&error.to_string());
                return served;
            }
        }
        for zone in embedded::load(provider.as_ref(), ui).await {
            handle.replace_zone(zone);
        }
    }
    for gone in served.iter().filter(|name| !listed.contains(name)) {
        handle.remove_zone(gone);
    }
    listed
}

/// Size and time of every zone file.
fn stamps(directories: &[PathBuf]) -> HashMap<PathBuf, (u64, Option<SystemTime>)> {
    let mut stamps = HashMap::new();
    for entry in directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "zone")
            && let Ok(data) = std::fs::metadata(&path)
        {
            stamps.insert(path, (data.len(), data.modified().ok()));
        }
    }
    stamps
}
