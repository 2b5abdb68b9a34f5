use std::net::SocketAddr;
use std::time::Duration;

use mailzone_audit::{Failure, SmtpSession};
use mailzone_record::Name;
use tokio::time::{Instant, timeout_at};

use crate::Trust;
use crate::lines::{Lines, Reply};
use crate::tls::{Purpose, connect};

/// How long a session may take from connecting to the certificate. Some servers let strangers wait for their
/// greeting for ten seconds or more.
pub const SESSION_TIME: Duration = Duration::from_secs(20);

/// Looks at the mail server `host` at `address`: greeting, EHLO as `helo`, STARTTLS, the handshake and the certificate,
/// which is judged for `host` at `now`; then QUIT. No mail is sent, no sender or recipient named.
///
/// `Failure::here` where there is no route, this machine forbids it, or the server refuses *us* in its greeting
/// (554 and the like, RFC 5321 section 3.1); a time-out is not, though port 25 is often blocked on the way: who sees
/// it at every host draws that conclusion.
pub(crate) async fn session(
    trust: &Trust,
    host: &Name,
    address: SocketAddr,
    helo: &Name,
    now: i64,
) -> Result<SmtpSession, Failure> {
    let deadline = Instant::now() + SESSION_TIME;
    let stream = connect(address, deadline).await?;
    let mut lines = Lines::new(stream, deadline);
    let broken = |why: String| Failure { message: format!("the server {why}"), here: false };
    let greeting = lines.reply().await.map_err(broken)?;
    if greeting.code != 220 {
        lines.quit().await;
        return Err(refused(&greeting));
    }
    let mut session = SmtpSession { banner: greeting.lines.join(" "), ..SmtpSession::default() };
    let hello = lines.command(&format!("EHLO {}", helo.to_text_without_dot())).await.map_err(broken)?;
    if hello.code == 250 {
        // The first line is the server's name.
        session.extensions = hello.lines.iter().skip(1).filter_map(|line| extension(line)).collect();
    }
    session.starttls = session.extensions.iter().any(|extension| extension.split(' ').next() == Some("STARTTLS"));
    if !session.starttls {
        lines.quit().await;
        return Ok(session);
    }
    let stream = match lines.command("STARTTLS").await {
        Ok(Reply { code: 220, .. }) => lines.into_stream(),
        Ok(reply) => {
            lines.quit().await;
            session.tls_error = Some(format!("the server answers {} to STARTTLS", shown(&reply)));
            return Ok(session);
        }
        Err(why) => {
            session.tls_error = Some(format!("after STARTTLS the server {why}"));
            return Ok(session);
        }
    };
    let Some(stream) = stream else {
        session.tls_error = Some("the server goes on in clear text after its answer to STARTTLS".to_owned());
        return Ok(session);
    };
    match trust.handshake(stream, host, Purpose::Mail, now, deadline).await {
        Err(why) => session.tls_error = Some(why),
        Ok(secured) => {
            session.tls_version = secured.version;
            session.chain = secured.chain;
            session.untrusted = secured.untrusted;
            // The extensions within TLS are not asked for, so only QUIT is left to say.
            let quit = Lines::new(secured.stream, deadline).quit();
            let _ = timeout_at(deadline, quit).await;
        }
    }
    Ok(session)
}

/// The keyword in upper case, its parameters as they are; `None` for an empty line.
fn extension(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let mut extension = words.next()?.to_ascii_uppercase();
    for word in words {
        extension.push(' ');
        extension.push_str(word);
    }
    Some(extension)
}

fn refused(greeting: &Reply) -> Failure {
    let message = format!("the server greets with {}", shown(greeting));
    // 521: it takes no mail from anybody (RFC 7504). 4xx: it has no time just now.
    let here = (500..600).contains(&greeting.code) && greeting.code != 521;
    let message = if here { format!("{message}: it does not talk to this client") } else { message };
    Failure { message, here }
}

fn shown(reply: &Reply) -> String {
    format!("`{} {}`", reply.code, reply.lines.join(" "))
}
