//! Where a rule's fields come from: an attribute, a hole of a template, a literal.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::body::Body;
use super::rules::Strings;
use super::template::Captures;
use super::{clusters, document, wildcard};

/// Where a value comes from, and what is made of it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    place: Place,
    through: Option<Function>,
}

#[derive(Debug, Clone)]
enum Place {
    Attribute(String),
    Ending(String),
    Hole(String),
    Literal(String),
}

#[derive(Debug, Clone, Copy)]
enum Function {
    IstioService,
    DaprApp,
    GrpcTarget,
    EnvoyCluster,
    FinagleLabel,
    PollyPipeline,
    PollyInstance,
    LinkerdService,
    LinkerdEndpoint,
}

impl Function {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "istio_service" => Some(Self::IstioService),
            "dapr_app" => Some(Self::DaprApp),
            "grpc_target" => Some(Self::GrpcTarget),
            "envoy_cluster" => Some(Self::EnvoyCluster),
            "finagle_label" => Some(Self::FinagleLabel),
            "polly_pipeline" => Some(Self::PollyPipeline),
            "polly_instance" => Some(Self::PollyInstance),
            "linkerd_service" => Some(Self::LinkerdService),
            "linkerd_endpoint" => Some(Self::LinkerdEndpoint),
            _ => None,
        }
    }

    fn apply(self, text: &str) -> Option<String> {
        match self {
            Self::IstioService => clusters::istio_service(text),
            Self::DaprApp => clusters::dapr_app(text),
            Self::GrpcTarget => clusters::grpc_target(text),
            Self::EnvoyCluster => clusters::envoy_cluster(text),
            Self::FinagleLabel => clusters::finagle_label(text),
            Self::PollyPipeline => clusters::polly_pipeline(text),
            Self::PollyInstance => clusters::polly_instance(text),
            Self::LinkerdService => clusters::linkerd_service(text),
            Self::LinkerdEndpoint => clusters::linkerd_endpoint(text),
        }
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(literal) = text.strip_prefix('=') {
            let place = Place::Literal(literal.to_owned());
            return Ok(Self {
                place,
                through: None,
            });
        }
        let (text, through) = match text.split_once('|') {
            Some((text, name)) => {
                let name = name.trim();
                let function =
                    Function::parse(name).ok_or_else(|| format!("{name} is no function"))?;
                (text.trim_end(), Some(function))
            }
            None => (text, None),
        };
        let place = match (text.strip_prefix('@'), text.strip_prefix('*')) {
            (Some(hole), _) => Place::Hole(hole.to_owned()),
            (_, Some(ending)) => Place::Ending(ending.to_owned()),
            _ => Place::Attribute(text.to_owned()),
        };
        Ok(Self { place, through })
    }

    /// Whether it reads the attribute of this key.
    fn reads(&self, key: &str) -> bool {
        matches!(&self.place, Place::Attribute(own) if document::is_spelling(own, key))
    }
}

pub(super) fn sources(texts: &[String]) -> Result<Vec<Source>, String> {
    texts.iter().map(|text| Source::parse(text)).collect()
}

/// What the sources of an item read from.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    /// Hot-encoded attributes.
    pub attributes: &'a str,
    /// The body of a log record. What no attribute is, its members may be.
    pub body: Option<&'a Body<'a>>,
    /// Holes of a template, members of a JSON body.
    pub holes: Captures,
}

impl Item<'_> {
    /// The first source that is there.
    pub(super) fn value(&self, sources: &[Source]) -> Option<Value> {
        sources.iter().find_map(|source| {
            let value = self.at(&source.place).filter(|value| !value.is_null())?;
            match source.through {
                Some(function) => function.apply(&document::text(&value)?).map(Value::String),
                None => Some(value),
            }
        })
    }

    fn at(&self, place: &Place) -> Option<Value> {
        match place {
            Place::Attribute(key) => self.attribute(key),
            Place::Ending(ending) => self.ending(ending),
            Place::Hole(name) => {
                let mut holes = self.holes.iter();
                let text = match holes.find(|(hole, _)| hole == name) {
                    Some((_, text)) => text.as_str(),
                    None if name == "body" => self.body?.text(),
                    None => return None,
                };
                Some(Value::String(text.to_owned()))
            }
            Place::Literal(text) => Some(Value::String(text.clone())),
        }
    }

    /// The attribute of this key.
    pub(super) fn attribute(&self, key: &str) -> Option<Value> {
        self.find(|members| document::get(members, key))
    }

    /// The first attribute whose key ends so.
    pub(super) fn ending(&self, ending: &str) -> Option<Value> {
        self.find(|members| document::get_ending(members, ending))
    }

    /// In the attributes, else among the members of the body.
    fn find(&self, get: impl Fn(&str) -> Option<Value>) -> Option<Value> {
        get(self.attributes).or_else(|| get(self.body?.members()?))
    }

    /// What the first source that is there may be compared as ([`document::alternatives`]).
    pub(super) fn alternatives(&self, sources: &[Source]) -> Vec<String> {
        self.value(sources)
            .map_or_else(Vec::new, |value| document::alternatives(&value))
    }

    /// Its text, if not empty.
    pub(super) fn text(&self, sources: &[Source]) -> Option<String> {
        let text = document::text(&self.value(sources)?)?;
        // .NET's logging writes a name that is not there like that.
        (!matches!(text.trim(), "" | "(null)")).then_some(text)
    }
}

/// The sources of a rule's fields.
#[derive(Debug)]
pub(super) struct Fields(HashMap<String, Vec<Source>>);

impl Fields {
    pub(super) fn of(fields: &BTreeMap<String, Strings>) -> Result<Self, String> {
        let compiled = fields.iter().map(|(name, texts)| {
            let sources = sources(texts.as_slice())?;
            Ok::<_, String>((name.clone(), sources))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> &[Source] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a field reads the attribute of this key.
    pub(super) fn read(&self, key: &str) -> bool {
        self.0.values().flatten().any(|source| source.reads(key))
    }
}

/// Conditions on sources: the value wanted, or `*`.
#[derive(Debug)]
pub(super) struct Needs(Vec<(Source, String)>);

impl Needs {
    pub(super) fn of(needs: &BTreeMap<String, String>) -> Result<Self, String> {
        let compiled = needs.iter().map(|(source, wanted)| {
            let source = Source::parse(source)?;
            Ok::<_, String>((source, wanted.clone()))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn all(&self, item: &Item<'_>) -> bool {
        self.0.iter().all(|need| Self::holds(need, item))
    }

    pub(super) fn any(&self, item: &Item<'_>) -> bool {
        self.0.iter().any(|need| Self::holds(need, item))
    }

    fn holds((source, wanted): &(Source, String), item: &Item<'_>) -> bool {
        item.alternatives(std::slice::from_ref(source))
            .iter()
            .any(|text| text != "(null)" && wildcard::is_like(wanted, text))
    }
}
