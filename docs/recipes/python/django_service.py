"""Django in one file; in a project, the client stands beside the views and the URL in its settings.

Try it:

    IGSEND_AMQP_URL=amqp://… python django_service.py runserver
    curl -X POST 'localhost:8000/orders/4711/shipped?customer=6789012345'
"""

import os
import sys
from secrets import token_hex

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from worker.client import InvalidRequest, SendError, SyncClient, request, text

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=token_hex(),
    IGSEND_AMQP_URL=os.environ["IGSEND_AMQP_URL"],
)

ACCOUNT = "17841405822304914"
igsend = SyncClient(settings.IGSEND_AMQP_URL)  # Connects at its first use.


@csrf_exempt
@require_POST
def shipped(call: HttpRequest, number: int) -> JsonResponse:
    # An id made of what we know: a client that asks twice has it sent once.
    message = request(
        ACCOUNT,
        call.GET["customer"],
        text(f"Your order {number} is on its way."),
        id=f"order-{number}-shipped",
    )
    try:
        receipt = igsend.send(message, timeout=5)
    except InvalidRequest as wrong:
        return JsonResponse({"error": str(wrong)}, status=422)
    except SendError as error:  # Not taken, or not confirmed in time: asking again is safe.
        return JsonResponse({"error": str(error)}, status=503)
    return JsonResponse({"id": receipt.id}, status=202)


urlpatterns = [path("orders/<int:number>/shipped", shipped)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
