//! PTR records that no configured provider can hold: the request that the hoster of the addresses is sent.

use mailzone_plan::Claim;
use mailzone_plan::document::ErrorDoc;

/// The error of PTR claims that found no zone, and the text that asks for them, to be pasted into a ticket.
pub(crate) fn no_zone(claims: &[&Claim], why: &str) -> ErrorDoc {
    let addresses: Vec<&str> = claims.iter().filter_map(|claim| claim.slot.key.as_deref()).collect();
    let message = format!("no configured provider can hold the PTR of {}{why}", addresses.join(" and of "));
    let mut remedy = vec![
        "ask the hoster of the address for it, set ptr = \"check\" once it is done; or configure a provider that holds it. \
         The text of the request:"
            .to_owned(),
        "Please set the reverse DNS (PTR) as follows:".to_owned(),
    ];
    remedy.extend(claims.iter().flat_map(|claim| claim.want.iter().map(|name| line(claim, &name.to_string()))));
    remedy.push("As records of the reverse zone:".to_owned());
    let records = claims.iter().flat_map(|claim| claim.want.iter().map(|name| format!("{} PTR {name}", claim.owner)));
    remedy.extend(records);
    remedy.push("The name resolves to these addresses. Please tell us when it is done.".to_owned());
    ErrorDoc { kind: "no_zone".into(), message, remedy: remedy.join("\n") }
}

fn line(claim: &Claim, name: &str) -> String {
    let address = claim.slot.key.as_deref().unwrap_or_default();
    format!("{address} -> {}", name.strip_suffix('.').unwrap_or(name))
}
