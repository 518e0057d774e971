//! Selects the route of a request.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::template::Route;

/// Finds the most specific route. Segment by segment, a literal precedes a parameter, and a parameter precedes a
/// `{name+}`; a method precedes `ANY`.
pub(super) fn find_route<'a, T>(
    routes: impl Iterator<Item = (&'a Route, T)>,
    method: &str,
    path: &str,
) -> Option<(&'a Route, BTreeMap<String, String>, T)> {
    let matching = routes.filter_map(|(route, target)| {
        let is_any_method = route.method == "ANY";
        if !is_any_method && route.method != method {
            return None;
        }
        let (specificity, parameters) = match_path(&route.path, path)?;
        Some(((specificity, is_any_method), (route, parameters, target)))
    });
    matching.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
}

/// Specificity of a segment, the most specific first.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Specificity {
    Literal,
    Parameter,
    Rest,
}

/// Matches a path against a pattern. Returns the specificity of each segment, and the path parameters.
pub(super) fn match_path(pattern: &str, path: &str) -> Option<(Vec<Specificity>, BTreeMap<String, String>)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut specificity, mut parameters) = (Vec::new(), BTreeMap::new());
    let mut rest = path.strip_prefix('/');
    for segment in pattern.strip_prefix('/')?.split('/') {
        let name = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        let left = rest?;
        if let Some(name) = name.and_then(|name| name.strip_suffix('+')) {
            parameters.insert(name.to_owned(), decode(left));
            specificity.push(Specificity::Rest);
            return (!left.is_empty()).then_some((specificity, parameters));
        }
        let (found, after) = left.split_once('/').map_or((left, None), |(found, after)| (found, Some(after)));
        match name {
            Some(name) if !found.is_empty() => {
                parameters.insert(name.to_owned(), decode(found));
                specificity.push(Specificity::Parameter);
            }
            None if found == segment => specificity.push(Specificity::Literal),
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some((specificity, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        let routes = [
            "GET /",
            "GET /portfolio",
            "POST /bots",
            "POST /bots/{bot_id}/{action}",
            "POST /bots/{bot_id}/trades",
            "ANY /bots/{bot_id}/trades",
            "POST /strategies/generate",
            "ANY /{proxy+}",
        ];
        let route = |route: &str| route.split_once(' ').map(|(method, path)| (method.to_owned(), path.to_owned()));
        routes.into_iter().filter_map(route).map(|(method, path)| Route { method, path }).collect()
    }

    fn found(routes: &[Route], request: &str) -> String {
        let (method, path) = request.split_once(' ').expect("method and path");
        let Some((route, parameters, ())) = find_route(routes.iter().map(|route| (route, ())), method, path) else {
            return "none".into();
        };
        let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{} {}{}", route.method, route.path, parameters.collect::<String>())
    }

    #[test]
    fn the_most_specific_route_is_found() {
        let routes = routes();
        for (request, route) in [
            ("GET /", "GET /"),
            ("POST /bots", "POST /bots"),
            ("POST /bots/1/start", "POST /bots/{bot_id}/{action} action=start bot_id=1"),
            ("POST /bots/1/trades", "POST /bots/{bot_id}/trades bot_id=1"),
            ("GET /bots/1/trades", "ANY /bots/{bot_id}/trades bot_id=1"),
            ("POST /bots/a%2Fb%20c/start", "POST /bots/{bot_id}/{action} action=start bot_id=a/b c"),
            ("DELETE /bots", "ANY /{proxy+} proxy=bots"),
            ("POST /bots/", "ANY /{proxy+} proxy=bots/"),
            ("GET /a/b%20c", "ANY /{proxy+} proxy=a/b c"),
        ] {
            assert_eq!(found(&routes, request), route, "{request}");
        }
    }

    #[test]
    fn an_unknown_method_or_path_has_no_route() {
        let routes: Vec<_> = routes().into_iter().filter(|route| route.path != "/{proxy+}").collect();
        for request in
            ["GET /bots", "POST /bots/", "POST /bots//start", "POST /bot", "POST /bots/1/start/now", "DELETE /"]
        {
            assert_eq!(found(&routes, request), "none", "{request}");
        }
    }
}
