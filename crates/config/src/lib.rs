//! The configuration: TOML into [`Settings`], with every mistake pointed at (`design.md` section 6).
//!
//! [`load`] reads files; everything else is pure.

mod check;
mod check_senders;
mod client_texts;
mod diagnostic;
mod domain;
mod endpoint;
pub mod escape;
mod keys;
mod load;
mod lower;
mod mail_texts;
mod merge;
mod raw;
mod schema;
pub mod secret;
pub mod senders;
mod service;
mod settings;
mod source;
mod suggest;
mod texts;

pub use diagnostic::{Diagnostic, Related, Severity};
pub use domain::{
    Allow, CaaSetting, ClientSetting, Date, DkimKey, DkimSetting, Domain, MailUse, MtaSts, MtaStsMode, MtaStsSetting,
    MxSetting, RecordSetting, ReportAuthorisation, SenderRecord, SenderSetting, Slot, SpfSetting, TextOrCname, WebHost,
};
pub use endpoint::Endpoint;
pub use load::{MAX_FILE_SIZE, Source, load, parse};
pub use schema::schema;
pub use service::{
    AccessKey, Cloudflare, CloudflareCredentials, Credential, Customary, Given, Ionos, IonosCloud, Limits, Netcup,
    Route53,
};
pub use settings::{
    Care, Dns, EffectiveKey, Host, Latency, Look, OnExceed, Propagation, ProviderSettings, Resolver, Rfc2136, Sender,
    Settings, Statistic, TlsaByPort, Tsig, TsigAlgorithm, Zonefile,
};
pub use source::{Located, Place, SourceFile};
