"""The handler of the user's Python function, and the packages that it imports."""

import ast
from collections.abc import Sequence
from pathlib import Path

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import is_there
from cdk_scalable_webhook.packaging import distributions


def require_handler(code: Path, handler: str) -> bool:
    """Require a handler that is defined in the code. Return whether its module has ``def ping()`` as well."""
    if not is_there(code.exists):
        raise ValueError(
            f"code must exist, got {brief(str(code))}, which does not: a path is relative to where cdk runs; take "
            "Path(__file__).parent / …, which is relative to your own file"
        )
    if not is_there(code.is_dir) and code.suffix != ".py":
        raise ValueError(f"code must be a folder or a .py file, got {brief(str(code))}; name one that has your modules")
    module, _, function = handler.rpartition(".")
    if not (module and all(part.isidentifier() for part in [*module.split("."), function])):
        raise ValueError(f"handler must be 'module.function', got {brief(handler)}; for example 'orders.handle'")
    root = code if code.is_dir() else code.parent
    path = root.joinpath(*module.split("."))
    file = next((found for found in (path.with_suffix(".py"), path / "__init__.py") if is_there(found.is_file)), None)
    if file is None or (code.is_file() and file != code):
        raise ValueError(
            f"handler must be in code, got {brief(handler)}, and {str(code)!r} has no module {module[:100]}; "
            "name a module that it has, or add that one"
        )
    if (root if code.is_dir() else code).joinpath("webhook_runtime").exists():
        raise ValueError("code must not have a webhook_runtime, got one; remove it: it is packed with your modules")
    remedy = f"fix it until python -m py_compile {file.name} prints nothing"
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ValueError(
            f"code must be Python, got {file.name} with {error.msg} in line {error.lineno or 1}; {remedy}"
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:  # for a NUL character, or endless brackets
        raise ValueError(f"code must be Python, got {file.name} with {error}; {remedy}") from None
    if any(isinstance(node, ast.AsyncFunctionDef) and node.name == function for node in tree.body):
        raise ValueError(
            f"handler must be an ordinary function, got {function!r} of {file.name}, which is async; "
            "call asyncio.run() in one that is not"
        )
    defined = {name for node in tree.body for name in _defined(node)}
    if function not in defined and "*" not in defined:
        raise ValueError(
            f"handler must name a function of {file.name}, got {brief(function)}, which it does not define; "
            "define it there, or name one that it defines"
        )
    return any(isinstance(node, ast.FunctionDef) and node.name == "ping" and _takes_nothing(node) for node in tree.body)


def _takes_nothing(function: ast.FunctionDef) -> bool:
    """Tell whether a function can be called without arguments. Another one of that name is no ping."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional == len(arguments.defaults) and None not in arguments.kw_defaults


def require_packages(names: Sequence[str]) -> None:
    """Require that these packages are installed, with all that they require."""
    distributions.resolve(names)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return []
