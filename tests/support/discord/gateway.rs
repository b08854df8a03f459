//! The fake's gateway: HELLO, IDENTIFY, READY, heartbeats, dispatches in order, RESUME; and its ways to fail.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::lock;
use super::{APPLICATION, BOT, Shared};

/// What the test does to a connection.
pub enum Do {
    /// Send this.
    Say(String),
    /// Close with a code.
    Close(u16),
    /// End the line without a word.
    Cut,
}

pub async fn serve(mut socket: WebSocket, shared: Arc<Shared>) {
    let interval = shared.heartbeat_ms.load(Ordering::SeqCst);
    if tell(&mut socket, &json!({"op": 10, "d": {"heartbeat_interval": interval}})).await.is_err() {
        return;
    }
    let (sender, mut todo) = mpsc::unbounded_channel();
    loop {
        let heard = tokio::select! {
            heard = socket.recv() => heard,
            act = todo.recv() => {
                let told = match act {
                    Some(Do::Say(text)) => socket.send(Message::text(text)).await,
                    Some(Do::Close(code)) => {
                        let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
                        // A client answers a close; a server that hangs up first loses the frame.
                        let _ = tokio::time::timeout(Duration::from_secs(2), socket.recv()).await;
                        return;
                    }
                    Some(Do::Cut) | None => return,
                };
                if told.is_err() {
                    return;
                }
                continue;
            }
        };
        let Some(Ok(Message::Text(text))) = heard else {
            if matches!(heard, Some(Ok(Message::Close(_))) | Some(Err(_)) | None) {
                return;
            }
            continue;
        };
        let frame: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        match frame["op"].as_u64() {
            Some(1) => {
                shared.heartbeats.fetch_add(1, Ordering::SeqCst);
                if !shared.mute_acks.load(Ordering::SeqCst) && tell(&mut socket, &json!({"op": 11})).await.is_err() {
                    return;
                }
            }
            Some(2) => {
                let refused = {
                    let world = lock(&shared.world);
                    if frame["d"]["token"] != json!(world.token) {
                        Some(4004)
                    } else if frame["d"]["intents"].as_u64().is_none_or(|bits| bits & !world.intents != 0) {
                        Some(4014)
                    } else {
                        None
                    }
                };
                if let Some(code) = refused {
                    shared.gateway.add(|_| format!("refused {code}"));
                    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
                    let _ = tokio::time::timeout(Duration::from_secs(2), socket.recv()).await;
                    return;
                }
                let ready = {
                    let mut world = lock(&shared.world);
                    world.session += 1;
                    world.seq = 1;
                    world.log.clear();
                    world.socket = Some(sender.clone());
                    let guilds = world.guilds.iter().map(|id| json!({"id": id.to_string(), "unavailable": true}));
                    let guilds: Vec<Value> = guilds.collect();
                    json!({
                        "v": 10, "session_id": format!("session-{}", world.session), "shard": [0, 1],
                        "resume_gateway_url": shared.gateway_url(),
                        "user": {"id": BOT.to_string(), "username": "opsbell", "discriminator": "0", "bot": true,
                            "avatar": null, "mfa_enabled": false},
                        "application": {"id": APPLICATION.to_string(), "flags": 0},
                        "guilds": guilds,
                    })
                };
                // What we send, another reading of Discord's types has to understand.
                serde_json::from_value::<twilight_model::gateway::payload::incoming::Ready>(ready.clone())
                    .expect("twilight reads our READY");
                let ready = json!({"op": 0, "t": "READY", "s": 1, "d": ready});
                if tell(&mut socket, &ready).await.is_err() {
                    return;
                }
                shared.gateway.add(|_| format!("identified intents={}", frame["d"]["intents"]));
            }
            Some(6) => {
                let resumed = {
                    let mut world = lock(&shared.world);
                    let known = frame["d"]["session_id"] == json!(format!("session-{}", world.session));
                    if known && !world.refuse_resume {
                        world.socket = Some(sender.clone());
                        let seen = frame["d"]["seq"].as_u64().unwrap_or(0);
                        Some(
                            world
                                .log
                                .iter()
                                .filter(|(s, _)| *s > seen)
                                .map(|(_, text)| text.clone())
                                .collect::<Vec<_>>(),
                        )
                    } else {
                        None
                    }
                };
                match resumed {
                    Some(missed) => {
                        for text in missed {
                            if socket.send(Message::text(text)).await.is_err() {
                                return;
                            }
                        }
                        if tell(&mut socket, &json!({"op": 0, "t": "RESUMED", "s": null, "d": {}})).await.is_err() {
                            return;
                        }
                        shared.gateway.add(|_| "resumed".to_owned());
                    }
                    None => {
                        shared.gateway.add(|_| "resume refused".to_owned());
                        if tell(&mut socket, &json!({"op": 9, "d": false})).await.is_err() {
                            return;
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

async fn tell(socket: &mut WebSocket, words: &Value) -> Result<(), axum::Error> {
    socket.send(Message::text(words.to_string())).await
}
