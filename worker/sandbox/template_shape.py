"""The shapes of templates: Meta's "Generic Template" and "Button Template" for Instagram."""

from typing import Any

from worker.sandbox.fields import only, the_list, the_object, the_text
from worker.sandbox.media_files import the_url
from worker.sandbox.refusal import GraphRefusal

_MOST_ELEMENTS = 10
_MOST_BUTTONS = 3
_LONGEST_ELEMENT_TEXT = 80
_LONGEST_BUTTON_TEMPLATE_TEXT = 640
# Messenger's lengths; the Instagram pages do not repeat them.
_LONGEST_BUTTON_TITLE = 20
_LONGEST_BUTTON_PAYLOAD = 1000


def check_template(payload: Any, where: str) -> str:
    """Refuse what is no documented template; name its kind."""
    fields = the_object(payload, where)
    match fields.get("template_type"):
        case "generic":
            _check_generic(fields, where)
            return "generic_template"
        case "button":
            only(fields, where, "template_type", "text", "buttons")
            the_text(fields, "text", where, most=_LONGEST_BUTTON_TEMPLATE_TEXT, empty=2018034)
            _check_buttons(fields.get("buttons"), f"{where}.buttons")
            return "button_template"
        case _:
            raise GraphRefusal(100, detail=f"{where}.template_type must be generic or button")


def _check_generic(fields: dict[str, Any], where: str) -> None:
    only(fields, where, "template_type", "elements")
    elements = the_list(fields.get("elements"), f"{where}.elements", most=_MOST_ELEMENTS)
    for index, element in enumerate(elements):
        _check_element(element, f"{where}.elements[{index}]")


def _check_element(element: Any, where: str) -> None:
    fields = the_object(element, where)
    only(fields, where, "title", "subtitle", "image_url", "default_action", "buttons")
    the_text(fields, "title", where, most=_LONGEST_ELEMENT_TEXT, empty=None)
    if len(fields) == 1:
        raise GraphRefusal(100, 2534015, detail=f"{where} needs a property besides title")
    if "subtitle" in fields:
        the_text(fields, "subtitle", where, most=_LONGEST_ELEMENT_TEXT, empty=None)
    if "image_url" in fields:
        the_url(fields, "image_url", where)
    if "default_action" in fields:
        _check_default_action(fields["default_action"], f"{where}.default_action")
    if "buttons" in fields:
        _check_buttons(fields["buttons"], f"{where}.buttons")


def _check_default_action(action: Any, where: str) -> None:
    fields = the_object(action, where)
    only(fields, where, "type", "url")
    if fields.get("type") != "web_url":
        raise GraphRefusal(100, detail=f"{where}.type must be web_url")
    the_url(fields, "url", where)


def _check_buttons(buttons: Any, where: str) -> None:
    for index, button in enumerate(the_list(buttons, where, most=_MOST_BUTTONS)):
        _check_button(button, f"{where}[{index}]")


def _check_button(button: Any, where: str) -> None:
    fields = the_object(button, where)
    match fields.get("type"):
        case "web_url":
            only(fields, where, "type", "url", "title")
            the_url(fields, "url", where)
        case "postback":
            only(fields, where, "type", "title", "payload")
            the_text(fields, "payload", where, most=_LONGEST_BUTTON_PAYLOAD, empty=2018040)
        case _:
            raise GraphRefusal(100, detail=f"{where}.type must be web_url or postback")
    the_text(fields, "title", where, most=_LONGEST_BUTTON_TITLE, empty=2018053)
