"""A notebook cell as a task: which names its code reads, and the function that runs it."""

import ast
import builtins
import inspect
import linecache
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def names_read(source: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Find what a cell's code reads of a namespace.

    Raises:
        SyntaxError: the code is not Python's.
    """
    tree = compile(source, "<cell>", "exec", _TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    found = dict.fromkeys(name for name in _loaded(tree) if name in namespace)
    return {name: namespace[name] for name in found}


def _loaded(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def awaits(source: str) -> bool:
    """Tell whether a cell's code awaits at its top level."""
    return _is_coroutine(compile(source, "<cell>", "exec", _TOP_LEVEL_AWAIT))


async def run_awaiting_cell(source: str, title: str, /, **names: Any) -> Any:
    """Run the code of a cell that awaits; see `run_cell`."""
    return await run_cell(source, title, **names)


def run_cell(source: str, title: str, /, **names: Any) -> Any:
    """Run a cell's code on a copy of the names that it reads, and return the value of its last expression.

    Args:
        title: stands for the file in tracebacks.
    """
    filename = f"<{title}>"
    # So that a traceback shows the lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = {"__builtins__": builtins, "__name__": "__main__", **names}
    body, last = _compiled(source, filename)
    if _is_coroutine(body) or _is_coroutine(last):
        return _run_awaiting(body, last, namespace)
    eval(body, namespace)
    return eval(last, namespace)


def _compiled(source: str, filename: str) -> tuple[CodeType, CodeType]:
    """Compile all statements of a cell but its last expression, and that expression, or None, alone."""
    tree = compile(source, filename, "exec", _TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    assert isinstance(tree, ast.Module)
    last: ast.expr = ast.Constant(None)
    match tree.body:
        case [*statements, ast.Expr(value)]:
            tree.body, last = statements, value
    expression = ast.fix_missing_locations(ast.Expression(last))
    return (
        compile(tree, filename, "exec", _TOP_LEVEL_AWAIT),
        compile(expression, filename, "eval", _TOP_LEVEL_AWAIT),
    )


async def _run_awaiting(body: CodeType, last: CodeType, namespace: dict[str, Any]) -> Any:
    result = None
    for code in (body, last):
        result = eval(code, namespace)
        if _is_coroutine(code):
            result = await result
    return result


def _is_coroutine(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_COROUTINE)
