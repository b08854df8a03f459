//! The fake's REST side: what is asked is checked, limited, done, and written down.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::lock;
use super::{APPLICATION, BOT, Callback, Channel, Fault, GUILD, Request, Seen, Shared, Shown, World, spec};

/// Messages in one channel within `WINDOW`; Discord's own is of this order.
const PER_CHANNEL: usize = 5;
const WINDOW: Duration = Duration::from_secs(1);
/// Discord's global limit.
const GLOBAL: usize = 50;
/// What Discord waits for the first word.
const FIRST_WORD: Duration = Duration::from_secs(3);

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/", get(socket)).fallback(any(answer)).with_state(shared)
}

async fn socket(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| super::gateway::serve(socket, shared))
}

struct Told {
    status: u16,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

fn told(status: u16, body: Value) -> Told {
    Told { status, body, headers: Vec::new() }
}

fn error(status: u16, code: u64, message: &str) -> Told {
    told(status, json!({"code": code, "message": message}))
}

/// What is said in a form with files (RFC 7578): its JSON, if each file is the one that its `attachments` name, in full.
fn form(kind: &str, bytes: &[u8]) -> Value {
    let boundary = kind.split_once("boundary=").expect("a form has a boundary").1;
    let begin = format!("--{boundary}");
    let at = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|part| part == wanted);
    let (mut said, mut files, mut rest) = (Value::Null, Vec::new(), bytes);
    assert!(rest.starts_with(begin.as_bytes()), "a form begins with its boundary");
    rest = &rest[begin.len()..];
    while !rest.starts_with(b"--") {
        let end = at(rest, format!("\r\n{begin}").as_bytes()).expect("a part ends with the boundary");
        let (part, more) = rest.split_at(end);
        rest = &more[begin.len() + 2..];
        let head = at(part, b"\r\n\r\n").expect("a part has a head");
        let (names, inner) = (String::from_utf8_lossy(&part[..head]).into_owned(), &part[head + 4..]);
        if names.contains("name=\"payload_json\"") {
            said = serde_json::from_slice(inner).expect("payload_json is JSON");
        } else {
            assert!(names.contains(&format!("name=\"files[{}]\"", files.len())), "{names}");
            let name = names.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next());
            files.push((name.expect("a file has a name").to_owned(), inner.to_vec()));
        }
    }
    let named: Vec<&str> =
        said["attachments"].as_array().into_iter().flatten().filter_map(|it| it["filename"].as_str()).collect();
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), named);
    for (name, bytes) in &files {
        let whole = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"IEND\xaeB`\x82");
        assert!(!name.ends_with(".png") || whole, "{name} is no PNG");
    }
    said
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(path) = uri.path().strip_prefix("/api/v10") else { return StatusCode::NOT_FOUND.into_response() };
    let (method, path) = (method.as_str().to_owned(), path.to_owned());
    let body: Value = match headers.get("content-type").and_then(|kind| kind.to_str().ok()) {
        Some(kind) if kind.starts_with("multipart/form-data") => form(kind, &body),
        _ => serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let fault = fault(&shared, &method, &path);
    let done = match &fault {
        Some(Fault::Answer(status, body, headers)) => {
            Told { status: *status, body: body.clone(), headers: headers.clone() }
        }
        Some(Fault::Hang) => {
            shared.requests.add(|_| Request { method, path, body, status: 0, at: Instant::now() });
            std::future::pending::<()>().await;
            unreachable!()
        }
        Some(Fault::DoneThen(status)) => {
            one(&shared, &method, &path, &headers, &body);
            error(*status, 0, "it was done all the same")
        }
        Some(Fault::Dropped) => {
            one(&shared, &method, &path, &headers, &body);
            shared.requests.add(|_| Request { method, path, body, status: 0, at: Instant::now() });
            // hyper closes the connection when the service panics.
            panic!("the line is cut (as the test wants)");
        }
        None => one(&shared, &method, &path, &headers, &body),
    };
    shared.requests.add(|_| Request { method, path, body, status: done.status, at: Instant::now() });
    let status = StatusCode::from_u16(done.status).expect("a status");
    let mut response = match &done.body {
        Value::Null => status.into_response(),
        body => (status, [("content-type", "application/json")], body.to_string()).into_response(),
    };
    for (name, value) in done.headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

fn fault(shared: &Shared, method: &str, path: &str) -> Option<Fault> {
    let mut world = lock(&shared.world);
    let fits = |fault: &&mut super::Scripted| fault.left > 0 && fault.method == method && path.contains(&fault.part);
    let fault = world.faults.iter_mut().find(fits)?;
    fault.left -= 1;
    Some(fault.fault.clone())
}

fn one(shared: &Arc<Shared>, method: &str, path: &str, headers: &HeaderMap, body: &Value) -> Told {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let open = matches!(parts.first(), Some(&"interactions") | Some(&"webhooks"));
    let mut world = lock(&shared.world);
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    if !open && token != Some(&format!("Bot {}", world.token)) {
        return error(401, 0, "401: Unauthorized");
    }
    if !open && full(&mut world, "global".into(), GLOBAL).is_some() {
        shared.wrong.add(|_| format!("429: more than {GLOBAL} calls in a second"));
        let mut limited = told(429, json!({"message": "limited", "retry_after": 0.5, "global": true}));
        limited.headers.push(("x-ratelimit-global", "true".into()));
        return limited;
    }
    if !body.is_null() {
        let problems = spec::problems(method, path, body);
        if !problems.is_empty() {
            for problem in &problems {
                shared.wrong.add(|_| format!("{method} {path}: {problem}"));
            }
            return error(400, 50_035, &format!("Invalid Form Body: {}", problems.join("; ")));
        }
    }
    match (method, parts.as_slice()) {
        ("GET", ["gateway", "bot"]) => told(
            200,
            json!({"url": shared.gateway_url(), "shards": 1,
            "session_start_limit": {"total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1}}),
        ),
        ("GET", ["users", "@me"]) => told(200, json!({"id": BOT.to_string(), "username": "opsbell", "bot": true})),
        ("GET", ["applications" | "oauth2", ..]) if parts.last() == Some(&"@me") => {
            told(200, json!({"id": APPLICATION.to_string(), "name": "Opsbell", "flags": 0}))
        }
        ("GET", ["users", "@me", "guilds"]) => {
            let all = world.guilds.iter().map(|id| json!({"id": id.to_string(), "name": "EJ Airways"}));
            told(200, all.collect())
        }
        ("GET", ["guilds", _, "channels"]) => {
            let all = world.channels.iter().filter(|(_, channel)| matches!(channel.kind, 0 | 4));
            told(200, all.map(|(id, channel)| channel_json(*id, channel)).collect())
        }
        ("POST", ["guilds", _, "channels"]) => {
            let parent = body["parent_id"].as_str().and_then(|id| id.parse().ok());
            if parent.is_some_and(|id: u64| world.channels.get(&id).is_none_or(|place| place.kind != 4)) {
                return error(400, 50_035, "Invalid Form Body: parent_id: Category does not exist");
            }
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            let channel = Channel { name: text("name"), topic: text("topic"), parent, ..bare() };
            let id = world.id();
            let made = channel_json(id, &channel);
            world.channels.insert(id, channel);
            told(201, made)
        }
        ("PUT", ["channels", channel, "permissions", user]) => {
            match channel.parse().ok().and_then(|id: u64| world.channels.get_mut(&id)) {
                Some(place) => {
                    let user = user.parse().expect("an account");
                    if !place.members.contains(&user) {
                        place.members.push(user);
                    }
                    told(204, Value::Null)
                }
                None => error(404, 10_003, "Unknown Channel"),
            }
        }
        ("POST", ["users", "@me", "channels"]) => {
            let Some(user) = body["recipient_id"].as_str().and_then(|id| id.parse().ok()) else {
                return error(400, 50_033, "Invalid Recipient(s)");
            };
            let id = direct(&mut world, user);
            told(200, channel_json(id, &world.channels[&id].clone()))
        }
        ("GET", ["applications", _, "commands"]) => told(200, Value::Array(world.commands.clone())),
        ("PUT", ["applications", _, "commands"]) => {
            let mut all = body.as_array().cloned().unwrap_or_default();
            for (n, command) in all.iter_mut().enumerate() {
                command["id"] = json!((n + 1).to_string());
                command["version"] = json!("1");
            }
            world.commands = all.clone();
            told(200, Value::Array(all))
        }
        ("POST", ["channels", channel, "messages"]) => post(shared, &mut world, channel, body),
        ("POST", ["channels", channel, "typing"]) => {
            let with = channel.parse().ok().and_then(|id: u64| world.channels.get(&id)).and_then(|place| place.with);
            match with {
                Some(user) if world.closed.contains(&user) => error(403, 50_007, "Cannot send messages to this user"),
                _ => told(204, Value::Null),
            }
        }
        ("GET", ["guilds", _, "members", user]) => told(200, json!({"user": {"id": user}, "roles": []})),
        ("GET", ["guilds", guild, "roles"]) => {
            told(200, json!([{"id": guild, "name": "@everyone", "permissions": "2252109051415616"}]))
        }
        ("GET", ["channels", channel]) => {
            match channel.parse().ok().and_then(|id: u64| world.channels.get(&id).map(|c| (id, c))) {
                Some((id, channel)) => told(200, channel_json(id, channel)),
                None => error(404, 10_003, "Unknown Channel"),
            }
        }
        ("PATCH", ["channels", _, "messages", message]) => edit(shared, &mut world, message, body),
        ("PUT" | "DELETE", ["channels", _, "messages", "pins", id]) => {
            let Some(id) = id.parse().ok().filter(|id: &u64| world.messages.contains_key(id)) else {
                return error(404, 10_008, "Unknown Message");
            };
            if method == "PUT" {
                world.pins.insert(id);
            } else {
                world.pins.remove(&id);
            }
            told(204, Value::Null)
        }
        ("PUT", ["channels", _, "messages", _, "reactions", _, "@me"]) => told(204, Value::Null),
        ("GET", ["channels", _, "messages", message]) => {
            let Some(shown) = message.parse().ok().and_then(|id: u64| world.messages.get(&id)) else {
                return error(404, 10_008, "Unknown Message");
            };
            let mut written = super::message_json(shown);
            if let Some(author) = world.authors.get(&shown.id) {
                written["author"]["id"] = json!(author.to_string());
                written["author"]["username"] = json!(format!("user{author}"));
                written["author"]["bot"] = json!(false);
            }
            told(200, written)
        }
        ("POST", ["channels", channel, "messages", message, "threads"]) => {
            start_thread(&mut world, channel, message, body)
        }
        ("PATCH", ["channels", channel]) => {
            match channel.parse().ok().and_then(|id: u64| world.channels.get_mut(&id).map(|place| (id, place))) {
                Some((_, place)) if place.locked => error(403, 50_013, "Missing Permissions"),
                Some((id, place)) => {
                    place.archived = body["archived"].as_bool().unwrap_or(place.archived);
                    place.name = body["name"].as_str().map_or(place.name.clone(), str::to_owned);
                    place.parent = body["parent_id"].as_str().map_or(place.parent, |id| id.parse().ok());
                    told(200, channel_json(id, place))
                }
                None => error(404, 10_003, "Unknown Channel"),
            }
        }
        ("PUT", ["channels", thread, "thread-members", user]) => {
            let user = user.parse().expect("an account");
            match thread.parse().ok().and_then(|id: u64| world.channels.get_mut(&id)) {
                Some(thread) if thread.archived => error(400, 50_083, "Thread is archived"),
                Some(thread) => {
                    if !thread.members.contains(&user) {
                        thread.members.push(user);
                    }
                    told(204, Value::Null)
                }
                None => error(404, 10_003, "Unknown Channel"),
            }
        }
        ("POST", ["interactions", id, token, "callback"]) => callback(shared, &mut world, id, token, body),
        ("PATCH", ["webhooks", _, token, "messages", "@original"]) => {
            let Some(waiting) = world.interactions.values().find(|waiting| waiting.token == **token) else {
                return error(404, 10_015, "Unknown Webhook");
            };
            if waiting.expired {
                return error(401, 50_027, "Invalid Webhook Token");
            }
            match waiting.original {
                Some(id) => edit(shared, &mut world, &id.to_string(), body),
                None => error(404, 10_008, "Unknown Message"),
            }
        }
        ("POST", ["webhooks", _, token]) => {
            let Some((only, channel)) = world
                .interactions
                .values()
                .find(|waiting| waiting.token == **token && !waiting.expired)
                .map(|waiting| (waiting.user, waiting.channel))
            else {
                return error(404, 10_015, "Unknown Webhook");
            };
            let only = body["flags"].as_u64().is_some_and(|flags| flags & 64 != 0).then_some(only);
            let shown = appear(&mut world, channel, body, only);
            shared.seen.add(|_| Seen::Message(shown.clone()));
            told(200, super::message_json(&shown))
        }
        _ => {
            shared.wrong.add(|_| format!("{method} {path} is nothing that this fake knows"));
            error(404, 0, "404: Not Found")
        }
    }
}

/// Whether a bucket is full; it counts.
fn full(world: &mut World, bucket: String, limit: usize) -> Option<Duration> {
    let now = Instant::now();
    let starts = world.windows.entry(bucket).or_default();
    starts.retain(|at| now.duration_since(*at) < WINDOW);
    if starts.len() >= limit {
        return Some(WINDOW - now.duration_since(starts[0]));
    }
    starts.push(now);
    None
}

pub fn direct(world: &mut World, user: u64) -> u64 {
    if let Some((id, _)) = world.channels.iter().find(|(_, channel)| channel.with == Some(user)) {
        return *id;
    }
    let id = world.id();
    let channel = Channel { kind: 1, with: Some(user), ..bare() };
    world.channels.insert(id, channel);
    id
}

/// A channel of nothing.
pub fn bare() -> Channel {
    Channel {
        name: String::new(),
        kind: 0,
        with: None,
        parent: None,
        archived: false,
        locked: false,
        members: Vec::new(),
        topic: String::new(),
    }
}

fn channel_json(id: u64, channel: &Channel) -> Value {
    let name = if channel.name.is_empty() { Value::Null } else { json!(channel.name) };
    json!({"id": id.to_string(), "type": channel.kind, "name": name, "guild_id": GUILD.to_string(),
        "topic": channel.topic, "parent_id": channel.parent.map(|id| id.to_string())})
}

fn start_thread(world: &mut World, channel: &str, message: &str, body: &Value) -> Told {
    let (Ok(channel), Ok(id)) = (channel.parse::<u64>(), message.parse::<u64>()) else {
        return error(404, 10_008, "Unknown Message");
    };
    if world.messages.get(&id).is_none_or(|shown| shown.channel != channel) {
        return error(404, 10_008, "Unknown Message");
    }
    if world.channels.contains_key(&id) {
        return error(400, 160_004, "A thread has already been created for this message");
    }
    let thread = Channel {
        name: body["name"].as_str().unwrap_or_default().to_owned(),
        kind: 11,
        parent: Some(channel),
        ..bare()
    };
    let made = channel_json(id, &thread);
    world.channels.insert(id, thread);
    told(201, made)
}

fn appear(world: &mut World, channel: u64, body: &Value, only: Option<u64>) -> Shown {
    let id = world.id();
    let content = body["content"].as_str().unwrap_or_default().to_owned();
    let allowed = &body["allowed_mentions"];
    let listed = |id: u64| allowed["users"].as_array().is_some_and(|users| users.contains(&json!(id.to_string())));
    let parsed = allowed["parse"].as_array().is_some_and(|all| all.contains(&json!("users")));
    let mentioned = regex::Regex::new(r"<@!?([0-9]+)>").expect("a pattern");
    let notified = mentioned.captures_iter(&content).filter_map(|found| found[1].parse().ok());
    let notified = notified.filter(|id| listed(*id) || parsed).collect();
    let shown = Shown { id, channel, content, body: body.clone(), notified, only };
    world.messages.insert(id, shown.clone());
    shown
}

fn post(shared: &Shared, world: &mut World, channel: &str, body: &Value) -> Told {
    let Some((id, place)) = channel.parse().ok().and_then(|id: u64| Some((id, world.channels.get(&id)?.clone())))
    else {
        return error(404, 10_003, "Unknown Channel");
    };
    if place.with.is_some_and(|user| world.closed.contains(&user)) {
        return error(403, 50_007, "Cannot send messages to this user");
    }
    if place.locked {
        return error(403, 160_005, "This thread is locked");
    }
    if let Some(place) = world.channels.get_mut(&id) {
        // Who writes in a thread wakes it.
        place.archived = false;
    }
    let bucket = format!("messages {id}");
    // Such a window is counted from its first message and then begins anew, as its headers say.
    if world.windows.get(&bucket).and_then(|starts| starts.first()).is_some_and(|at| at.elapsed() >= WINDOW) {
        world.windows.remove(&bucket);
    }
    let wait = full(world, bucket.clone(), PER_CHANNEL);
    let (left, reset) = {
        let starts = &world.windows[&bucket];
        (PER_CHANNEL - starts.len(), starts[0] + WINDOW - Instant::now())
    };
    let mut headers = vec![
        ("x-ratelimit-bucket", "5b1f".to_owned()),
        ("x-ratelimit-limit", PER_CHANNEL.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset-after", format!("{:.3}", reset.as_secs_f64())),
    ];
    if let Some(wait) = wait {
        shared.wrong.add(|_| format!("429: more than {PER_CHANNEL} messages in channel {id}"));
        headers.push(("x-ratelimit-scope", "user".to_owned()));
        let wait = wait.as_secs_f64();
        return Told {
            status: 429,
            body: json!({"message": "limited", "retry_after": wait, "global": false}),
            headers,
        };
    }
    let nonce = body["nonce"].as_str().filter(|_| body["enforce_nonce"] == true).map(str::to_owned);
    if let Some(twin) = nonce.as_ref().and_then(|nonce| world.nonces.get(&(id, nonce.clone())).copied()) {
        shared.seen.add(|_| Seen::Twin(twin));
        return Told { status: 200, body: super::message_json(&world.messages[&twin]), headers };
    }
    let shown = appear(world, id, body, None);
    if let Some(nonce) = nonce {
        world.nonces.insert((id, nonce), shown.id);
    }
    shared.seen.add(|_| Seen::Message(shown.clone()));
    Told { status: 200, body: super::message_json(&shown), headers }
}

fn edit(shared: &Shared, world: &mut World, message: &str, body: &Value) -> Told {
    let Some(shown) = message.parse().ok().and_then(|id: u64| world.messages.get_mut(&id)) else {
        return error(404, 10_008, "Unknown Message");
    };
    for (key, value) in body.as_object().into_iter().flatten() {
        shown.body[key] = value.clone();
    }
    shown.content = shown.body["content"].as_str().unwrap_or_default().to_owned();
    let shown = shown.clone();
    shared.seen.add(|_| Seen::Edit(shown.clone()));
    told(200, super::message_json(&shown))
}

fn callback(shared: &Shared, world: &mut World, id: &str, token: &str, body: &Value) -> Told {
    let Some(id) = id.parse::<u64>().ok() else { return error(404, 10_062, "Unknown interaction") };
    let Some(waiting) = world.interactions.get_mut(&id).filter(|waiting| waiting.token == token && !waiting.expired)
    else {
        return error(404, 10_062, "Unknown interaction");
    };
    if waiting.answered {
        return error(400, 40_060, "Interaction has already been acknowledged.");
    }
    let took = waiting.at.elapsed();
    if took > FIRST_WORD {
        return error(404, 10_062, "Unknown interaction");
    }
    waiting.answered = true;
    let (user, channel, message) = (waiting.user, waiting.channel, waiting.message);
    let (kind, data) = (body["type"].as_u64().unwrap_or(0), body["data"].clone());
    let original = match kind {
        4 | 5 => {
            let only = data["flags"].as_u64().is_some_and(|flags| flags & 64 != 0).then_some(user);
            let shown = appear(world, channel, &data, only);
            if kind == 4 {
                shared.seen.add(|_| Seen::Message(shown.clone()));
            }
            Some(shown.id)
        }
        7 => {
            if let Some(message) = message {
                edit(shared, world, &message.to_string(), &data);
            }
            message
        }
        6 => message,
        _ => None,
    };
    if let Some(waiting) = world.interactions.get_mut(&id) {
        waiting.original = original;
    }
    shared.callbacks.add(|_| Callback { interaction: id, kind, data, took });
    told(204, Value::Null)
}
