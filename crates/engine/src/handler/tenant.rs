//! Intents that a tenant writes into its file: phrases, a reply, actions; no code.

use nlu::{Intent, Language};

use super::builtin::action;
use super::{Case, Handled, Handler};

/// An intent of a tenant's own, or its word on one of the six.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TenantIntent {
    /// Its name. One of the six: what stands here takes the place of what Barid would do.
    pub name: String,
    /// From which it is learnt.
    pub phrases: Vec<String>,
    /// The reply in English.
    pub reply: Option<String>,
    /// The reply in Arabic.
    pub reply_ar: Option<String>,
    /// What to do, by the names of the tenant's actions. `None` of the six: what Barid does by itself.
    pub actions: Option<Vec<String>>,
    /// The title of its tasks; `None`: made of the name.
    pub title: Option<String>,
    /// Before others that are sure enough as well.
    pub priority: i32,
    /// Below this confidence it is not meant.
    pub floor: f32,
}

impl TenantIntent {
    fn reply(&self, language: Language) -> Option<&str> {
        let (first, second) = match language {
            Language::En => (&self.reply, &self.reply_ar),
            Language::Ar => (&self.reply_ar, &self.reply),
        };
        first.as_deref().or(second.as_deref())
    }

    fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| {
            let words = self.name.to_lowercase().replace('_', " ");
            let mut letters = words.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
    }
}

impl Handler for TenantIntent {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn floor(&self) -> f32 {
        self.floor
    }

    fn phrases(&self) -> &[String] {
        &self.phrases
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        let six = Intent::parse(&self.name);
        let usual = six.and_then(|_| super::builtin::all().into_iter().find(|h| h.name() == self.name));
        let mut handled = usual.map_or_else(Handled::default, |h| h.handle(case));
        if let Some(reply) = self.reply(case.language) {
            handled.sentence = Some(reply.to_owned());
            handled.repeat = true;
        }
        if let Some(actions) = &self.actions {
            // One of the six may hold back for a reason (an order of nothing): then the tenant's actions wait too.
            if six.is_none() || !handled.actions.is_empty() {
                let title = if six.is_some() { handled.actions[0].title.clone() } else { self.title() };
                let one = |name: &String| {
                    let mut action = action(case, &self.name, name, &title);
                    action.title.clone_from(&title);
                    action
                };
                handled.actions = actions.iter().map(one).collect();
            }
        }
        if six.is_none() {
            let about = case.known.get("service").map_or_else(String::new, |s| nlu::fold(s));
            handled.matter = Some(format!("{}:{about}", self.name));
        }
        handled
    }
}
