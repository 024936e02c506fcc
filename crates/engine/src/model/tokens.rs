//! How long a text is to a model. OpenAI's models are counted by their own tokeniser, loaded when the first such count is asked for (a server
//! without agents never loads it); for others, whose tokenisers are not public or too many, by an estimate from the script of the text, a
//! little high, which the vendor's own counts then correct ([`Meter`]).

use tiktoken_rs::CoreBPE;

use super::{Message, Model, Prompt, Wire};

/// What a message costs beside its text: role and separators.
const FRAME: u64 = 4;

/// Counts tokens as one model does.
#[derive(Clone, Copy)]
pub enum Counter {
    /// OpenAI's tokeniser of this model.
    Exact(&'static CoreBPE),
    /// By script.
    Estimate,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Exact(_) => "Exact",
            Self::Estimate => "Estimate",
        })
    }
}

impl Counter {
    /// For a model.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        if model.wire != Wire::OpenAi {
            return Self::Estimate;
        }
        let name = model.model.rsplit('/').next().unwrap_or("");
        let old = ["gpt-4-", "gpt-3.5", "text-embedding-3"];
        let new = ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "chatgpt-", "o1", "o3", "o4"];
        if name == "gpt-4" || old.iter().any(|p| name.starts_with(p)) {
            Self::Exact(tiktoken_rs::cl100k_base_singleton())
        } else if new.iter().any(|p| name.starts_with(p)) {
            Self::Exact(tiktoken_rs::o200k_base_singleton())
        } else {
            Self::Estimate
        }
    }

    /// The tokens of a text.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        match self {
            Self::Exact(bpe) => bpe.encode_ordinary(text).len() as u64,
            Self::Estimate => estimate(text),
        }
    }

    /// The tokens of a message, with its frame.
    #[must_use]
    pub fn message(self, message: &Message) -> u64 {
        FRAME
            + match message {
                Message::User { text } => self.count(text),
                Message::Assistant { text, calls } => {
                    let call = |c: &super::ToolCall| self.count(&c.name) + self.count(&c.arguments.to_string()) + FRAME;
                    self.count(text) + calls.iter().map(call).sum::<u64>()
                }
                Message::Tool { text, name, .. } => self.count(text) + self.count(name),
            }
    }

    /// The tokens of what does not change over a conversation: system text, tools, schema.
    #[must_use]
    pub fn fixed(self, prompt: &Prompt) -> u64 {
        let tool = |t: &super::ToolSpec| {
            self.count(t.name) + self.count(&t.description) + self.count(&t.parameters.to_string()) + 2 * FRAME
        };
        let schema = prompt.schema.as_ref().map_or(0, |s| self.count(&s.schema.to_string()));
        FRAME + self.count(&prompt.system) + prompt.tools.iter().map(tool).sum::<u64>() + schema
    }

    /// The tokens of a whole prompt.
    #[must_use]
    pub fn prompt(self, prompt: &Prompt) -> u64 {
        self.fixed(prompt) + prompt.messages.iter().map(|m| self.message(m)).sum::<u64>()
    }
}

/// Measured on leads' messages: a token of o200k is 4.15 characters of English and 2.84 of Arabic (NLU.md D); with a margin of 15 %.
fn estimate(text: &str) -> u64 {
    let (mut latin, mut dense) = (0_u64, 0_u64);
    for c in text.chars() {
        if c.is_ascii() { latin += 1 } else { dense += 1 }
    }
    // In hundredths of a token: 115 / 4.1 and 115 / 2.8.
    (latin * 28 + dense * 41).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(wire: Wire, model: &str) -> Model {
        let (provider, base) = ("p".to_owned(), "http://x".to_owned());
        Model { provider, wire, base, model: model.to_owned(), key: None, price_in: 0, price_out: 0 }
    }

    #[test]
    fn openai_models_are_counted_by_their_own_tokeniser_and_others_estimated() {
        let count = |wire, name, text| Counter::of(&model(wire, name)).count(text);
        assert_eq!(count(Wire::OpenAi, "gpt-4o-mini", "hello world"), 2);
        assert_eq!(count(Wire::OpenAi, "gpt-4", "hello world"), 2);
        assert_eq!(count(Wire::OpenAi, "openai/gpt-4.1", "مرحبا كيف حالك"), 5);
        for (wire, name) in
            [(Wire::OpenAi, "llama3.1"), (Wire::Anthropic, "claude"), (Wire::Gemini, "gemini-2.5-flash")]
        {
            assert!(matches!(Counter::of(&model(wire, name)), Counter::Estimate), "{name}");
        }
    }

    /// The estimate is never far below the truth: a window that is cut by it fits.
    #[test]
    fn the_estimate_is_a_little_high_in_both_languages() {
        let exact = Counter::of(&model(Wire::OpenAi, "gpt-4o"));
        for text in [
            "Hello, I would like to know how much a trade licence costs and how long it takes to get one.",
            "السلام عليكم، أبغى أعرف كم سعر الرخصة التجارية وكم تاخذ وقت لو سمحت",
            "My name is Rashid Kareem and I am from Pakistan. Please call me tomorrow at 5 pm.",
        ] {
            let (truth, guess) = (exact.count(text), Counter::Estimate.count(text));
            assert!(guess * 10 >= truth * 9 && guess <= truth * 2, "{truth} {guess}: {text}");
        }
    }
}
