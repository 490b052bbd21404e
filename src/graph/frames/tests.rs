use super::*;
use crate::proto::{AttrMap, AttrValue, DataType, attr_value::Value};

fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
    let input = inputs.iter().map(|&input| input.to_owned()).collect();
    NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
}

fn enter(name: &str, input: &str, frame: &str, is_constant: bool) -> NodeDef {
    let attr = |value| AttrValue { value: Some(value) };
    let attrs = [
        ("frame_name".to_owned(), attr(Value::S(frame.into()))),
        ("is_constant".to_owned(), attr(Value::B(is_constant))),
        ("T".to_owned(), attr(Value::Type(DataType::DtFloat as i32))),
    ];
    NodeDef { attr: AttrMap::from(attrs), ..node(name, "Enter", &[input]) }
}

/// The nodes of a loop that starts with `first` and ends when its variable is not less than `limit`. Each name begins with that of the
/// frame. The body has to be added: it reads FRAME/switch:1, and FRAME/next reads its result FRAME/result.
fn loop_around(frame: &str, first: &str, limit: &str) -> Vec<NodeDef> {
    let named = |name: &str| format!("{frame}/{name}");
    let part = |name: &str, op: &str, inputs: &[&str]| {
        let inputs: Vec<String> = inputs.iter().map(|name| named(name)).collect();
        node(&named(name), op, &inputs.iter().map(String::as_str).collect::<Vec<_>>())
    };
    vec![
        enter(&named("enter"), first, frame, false),
        enter(&named("limit"), limit, frame, true),
        part("merge", "Merge", &["enter", "next"]),
        part("less", "Less", &["merge", "limit"]),
        part("condition", "LoopCond", &["less"]),
        part("switch", "Switch", &["merge", "condition"]),
        part("next", "NextIteration", &["result"]),
        part("exit", "Exit", &["switch"]),
    ]
}

fn graph(nodes: &[&[NodeDef]]) -> GraphDef {
    let inputs = [node("x", "Placeholder", &[]), node("limit", "Placeholder", &[])];
    GraphDef { node: [&inputs, &nodes.concat()[..]].concat(), ..GraphDef::default() }
}

/// The loop that doubles its variable, and what reads its result.
fn doubling() -> Vec<NodeDef> {
    let rest = [node("f/result", "Add", &["f/switch:1", "f/switch:1"]), node("y", "Relu", &["f/exit"])];
    [loop_around("f", "x", "limit"), rest.into()].concat()
}

fn converted(definition: &GraphDef, root: &str) -> Result<GraphDef> {
    let part = Part { roots: vec![root.to_owned()], ..Part::default() };
    Ok(call_loops(definition, &part)?.expect("the part has loops or arrays"))
}

/// The nodes as `OP NAME <- INPUTS`, in the order of their names.
fn described(nodes: &[NodeDef]) -> Vec<String> {
    let mut all: Vec<String> = nodes
        .iter()
        .map(|node| format!("{} {} <- {}", node.op, node.name, node.input.join(" ")).trim().to_owned())
        .collect();
    all.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    all
}

fn function<'a>(graph: &'a GraphDef, name: &str) -> &'a FunctionDef {
    let functions = &graph.library.as_ref().unwrap().function;
    functions.iter().find(|function| function.signature.as_ref().unwrap().name == name).unwrap()
}

#[test]
fn a_loop_becomes_a_while_whose_results_its_exits_forward() {
    let graph = converted(&graph(&[&doubling()]), "y").unwrap();
    let nodes = [
        "While f <- x limit",
        "Identity f/exit <- f:0",
        "Placeholder limit <-",
        "Placeholder x <-",
        "Relu y <- f/exit",
    ];
    assert_eq!(described(&graph.node), nodes);
    let cond = function(&graph, "f/cond");
    assert_eq!(described(&cond.node_def), ["Less f/less <- loop_0 loop_1"]);
    assert_eq!(cond.ret["result_0"], "f/less:z:0");
    let body = function(&graph, "f/body");
    assert_eq!(described(&body.node_def), ["Add f/result <- loop_0 loop_0"]);
    assert_eq!([&body.ret["result_0"], &body.ret["result_1"]], ["f/result:z:0", "loop_1"]);
}

#[test]
fn the_inner_loop_is_part_of_the_body_of_the_outer_one() {
    let bodies = [
        enter("g/outer", "f/switch:1", "g", true),
        node("g/result", "Mul", &["g/switch:1", "g/outer"]),
        node("f/result", "Relu", &["g/exit"]),
    ];
    let definition =
        graph(&[&loop_around("f", "x", "limit"), &loop_around("g", "f/switch:1", "f/limit"), &bodies]);
    let graph = converted(&definition, "f/exit").unwrap();
    assert_eq!(graph.node.iter().filter(|node| node.op == "While").count(), 1);
    let body = described(&function(&graph, "f/body").node_def);
    assert_eq!(
        body,
        [
            "Relu f/result <- g/exit:output:0",
            "While g <- loop_0 loop_1 loop_0",
            "Identity g/exit <- g:output:0"
        ]
    );
    let body = described(&function(&graph, "g/body").node_def);
    assert_eq!(body, ["Mul g/result <- loop_0 loop_2"]);
}

#[test]
fn what_is_not_a_loop_is_refused_with_a_way_around_it() {
    let without = |op: &str| {
        let nodes = doubling();
        graph(&[&nodes.into_iter().filter(|node| node.op != op).collect::<Vec<_>>()])
    };
    let mut definition = without("LoopCond");
    for node in &mut definition.node {
        node.input
            .iter_mut()
            .filter(|input| *input == "f/condition")
            .for_each(|input| *input = "f/less".into());
    }
    let error = converted(&definition, "y").unwrap_err().to_string();
    assert!(error.starts_with("loop \"f\": it has no LoopCond; "), "{error}");
    assert!(error.contains("x:0") && error.contains("f/exit:0"), "{error}");

    let mut definition = graph(&[&doubling()]);
    let limit = definition.node.iter_mut().find(|node| node.name == "f/limit").unwrap();
    limit.attr.remove("is_constant");
    let error = converted(&definition, "y").unwrap_err().to_string();
    assert!(
        error.contains("Enter \"f/limit\" is in it, and no Merge starts a loop variable with it"),
        "{error}"
    );
}

#[test]
fn a_constant_that_starts_a_loop_variable_is_refused() {
    let mut nodes = doubling();
    nodes[0] = enter("f/enter", "x", "f", true);
    let error = converted(&graph(&[&nodes]), "y").unwrap_err().to_string();
    assert!(error.contains("loop \"f\"") && error.contains("although it is constant"), "{error}");
}

#[test]
fn an_output_inside_of_a_loop_is_refused() {
    let error = converted(&graph(&[&doubling()]), "f/result").unwrap_err().to_string();
    assert!(error.starts_with(
        "Add \"f/result\": it is inside of the loop f, and has another value in each iteration"
    ));
}

#[test]
fn loops_and_arrays_that_the_part_does_not_need_stay() {
    let others = [node("array", "TensorArrayV3", &["limit"]), node("z", "Relu", &["x"])];
    let part = Part { roots: vec!["z".to_owned()], ..Part::default() };
    assert_eq!(call_loops(&graph(&[&doubling(), &others]), &part).unwrap(), None);
}

#[test]
fn lists_take_the_place_of_arrays() {
    let array = [
        node("array", "TensorArrayV3", &["limit"]),
        node("write", "TensorArrayWriteV3", &["array", "limit", "x", "array:1"]),
        node("read", "TensorArrayReadV3", &["array", "limit", "write"]),
    ];
    let nodes = converted(&graph(&[&array]), "read").unwrap().node;
    let lists = described(&nodes).into_iter().filter(|line| line.starts_with("TensorList"));
    assert_eq!(
        lists.collect::<Vec<_>>(),
        [
            "TensorListReserve array <- array/list_element_shape limit",
            "TensorListGetItem read <- write limit read/list_element_shape",
            "TensorListSetItem write <- array limit x"
        ]
    );
}

#[test]
fn an_array_without_a_flow_begins_at_the_constant_that_is_read_with_its_handle() {
    let old = [
        node("array", "TensorArrayV2", &["limit"]),
        node("flow", "Const", &[]),
        node("write", "TensorArrayWriteV2", &["array", "limit", "x", "flow"]),
        node("chosen", "Switch", &["flow", "x"]),
        node("merged", "Merge", &["write", "chosen:1"]),
        node("read", "TensorArrayPack", &["array", "merged"]),
    ];
    let nodes = converted(&graph(&[&old]), "read").unwrap().node;
    let lists = described(&nodes).into_iter().filter(|line| !line.starts_with("Placeholder"));
    assert_eq!(
        lists.collect::<Vec<_>>(),
        [
            "TensorListReserve array <- array/list_element_shape limit",
            "Const array/list_element_shape <-",
            "Switch chosen <- array x",
            "Const flow <-",
            "Merge merged <- write chosen:1",
            "TensorListStack read <- merged read/list_element_shape",
            "Const read/list_element_shape <-",
            "TensorListSetItem write <- array limit x"
        ]
    );
}

#[test]
fn operations_whose_array_is_not_known_or_not_one_are_refused() {
    let arrays = ["a", "b"].map(|name| node(name, "TensorArrayV2", &["limit"]));
    let flow = [node("flow", "Const", &[]), node("shared", "Identity", &["flow"])];
    let [read_a, read_b] =
        ["a", "b"].map(|array| node(&format!("read_{array}"), "TensorArrayReadV2", &[array, "x", "shared"]));
    let others = [read_a, read_b, node("read_x", "TensorArrayReadV2", &["x", "x", "a"])];
    for root in ["read_b", "read_x"] {
        let error = match call_loops(
            &graph(&[&arrays, &flow, &others, &[node("y", "Pack", &[root, "a"])]]),
            &Part { roots: vec!["y".to_owned()], ..Part::default() },
        ) {
            Ok(_) => panic!("{root} is converted"),
            Err(error) => error.to_string(),
        };
        let expected =
            format!("TensorArrayReadV2 \"{root}\": the array that it reads or writes is not known");
        assert!(error.starts_with(&expected), "{error}");
    }
}
