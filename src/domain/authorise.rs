//! The one function that authorises, for commands, buttons and administration alike. Identity comes from the
//! envelope; what a person may do comes from the organisation in force at this moment.

use super::actor::{ADMINISTRATOR, Actor};
use super::command::spec::Permission;
use super::incident::{Incident, private};
use super::org::{Org, Role};
use super::playbook::REMEDY;
use super::reject::{Reject, RejectCode};

/// Whether an actor may do something, on a record where it is about one.
pub fn authorise(org: &Org, actor: &Actor, permission: Permission, on: Option<&Incident>) -> Result<(), Reject> {
    authorise_by(org, (actor, None), permission, on)
}

/// The same for a person whose chat grants them a role beside their own (`[chat.discord] roles`). It makes nobody a
/// person who is none.
pub fn authorise_by(
    org: &Org,
    (actor, granted): (&Actor, Option<Role>),
    permission: Permission,
    on: Option<&Incident>,
) -> Result<(), Reject> {
    let person = match actor {
        // What an administrator wrote down for alerts to begin may do what responders may.
        actor if remedy(actor) && permission <= Permission::Respond => return Ok(()),
        // Integrations and timers give no commands; what they do is decided where their input is.
        Actor::Integration(_) | Actor::Timer(_) => {
            return Err(Reject::new(RejectCode::NotAllowed, "Only a person can do that."));
        }
        Actor::Member(name) => {
            if permission <= Permission::Declare {
                return Ok(());
            }
            return Err(Reject::new(
                RejectCode::Unlinked,
                format!("{name} is linked to no person of this organisation."),
            )
            .hint("You may read and declare. For more, link your account to your [[person]]: /connect"));
        }
        Actor::Person(person) => person,
    };
    if person.as_str() == ADMINISTRATOR {
        return match permission {
            Permission::Read | Permission::Administer => Ok(()),
            Permission::Declare | Permission::Respond => {
                Err(Reject::new(RejectCode::Unlinked, "The administrator's token is not a person.")
                    .hint("Say who it is for: opsbell say --as NAME …"))
            }
        };
    }
    let Some(known) = org.people.get(person) else {
        return Err(Reject::new(RejectCode::Unlinked, format!("{person} is not a person of this organisation."))
            .hint("An administrator can add a [[person]] to the configuration."));
    };
    if known.left {
        return Err(Reject::new(RejectCode::NotAllowed, format!("{person} has left this organisation."))
            .hint("Nothing may be done in their name; an administrator can say otherwise in the configuration."));
    }
    let may = match known.role.max(granted.unwrap_or(known.role)) {
        Role::Stakeholder => permission <= Permission::Declare,
        Role::Responder => permission <= Permission::Respond,
        Role::Admin => true,
    };
    if let Some(hidden) = on.filter(|incident| !private::may_see(org, actor, incident)) {
        return Err(private::hidden(org, hidden.id));
    }
    if may {
        return Ok(());
    }
    let what = match on {
        Some(incident) => format!("{person} may not do that to {}: it needs a responder.", incident.id),
        None if permission == Permission::Administer => format!("{person} may not do that: it needs an administrator."),
        None => format!("{person} may not do that: it needs a responder."),
    };
    Err(Reject::new(RejectCode::NotAllowed, what).hint("See what you may do: /whoami and /help"))
}

/// Whether a rule of the organisation acts (`[[remedy]]`), and nobody else.
pub fn remedy(actor: &Actor) -> bool {
    matches!(actor, Actor::Timer(part) if part == REMEDY)
}

/// The word of a permission.
pub fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "read",
        Permission::Declare => "declare",
        Permission::Respond => "respond",
        Permission::Administer => "administer",
    }
}
