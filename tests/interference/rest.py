"""Views of Django REST framework: lazy users, authentication, parsers, exceptions, throttles, a model's viewset.

In: requests. Out: what the framework makes of them, notes. Never: anything that knows the package under test.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from rest_framework import exceptions, routers, serializers, status, throttling, viewsets
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.decorators import api_view, parser_classes, throttle_classes
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import AllowAny, DjangoModelPermissionsOrAnonReadOnly, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.interference.trail import note


class Who(APIView):
    """The user is looked up once, by whichever authentication knows it, and only when asked for."""

    authentication_classes = (TokenAuthentication, SessionAuthentication, BasicAuthentication)
    permission_classes = (AllowAny,)
    renderer_classes = (JSONRenderer,)

    def get(self, request: Request) -> Response:
        wrapped = request._request
        note("rest", type(request).__name__, type(wrapped).__name__, "user" in vars(wrapped))
        return Response(
            {
                "user": str(request.user),
                "auth": str(request.auth),
                "by": type(request.successful_authenticator).__name__,
                "same": wrapped.user is request.user,
            }
        )

    def post(self, request: Request) -> Response:
        return Response({"data": request.data, "type": request.content_type}, status.HTTP_201_CREATED)


class Members(Who):
    permission_classes = (IsAuthenticated,)


class Lazy(APIView):
    """Asks for no user at all."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)

    def get(self, request: Request) -> Response:
        return Response({"asked": hasattr(request._request, "_cached_user")})


@api_view(["POST"])
@parser_classes([JSONParser, FormParser, MultiPartParser])
def parsed(request: Request) -> Response:
    if request.query_params.get("first"):
        note("rest", request._request.read(4))
    return Response(
        {
            "data": {key: str(value) for key, value in request.data.items()},
            "files": {name: file.size for name, file in request.FILES.items()},
        }
    )


@api_view(["GET"])
def failing(request: Request, kind: str) -> Response:
    errors: dict[str, Exception] = {
        "unauthenticated": exceptions.NotAuthenticated("who are you"),
        "denied": exceptions.PermissionDenied(),
        "missing": exceptions.NotFound(),
        "throttled": exceptions.Throttled(wait=7),
        "invalid": exceptions.ValidationError({"field": ["wrong"]}),
        "own": LookupError("of the view"),
    }
    raise errors[kind]


class OncePerMinute(throttling.AnonRateThrottle):
    rate = "1/min"


@api_view(["GET"])
@throttle_classes([OncePerMinute])
def throttled(request: Request) -> Response:
    return Response("not throttled")


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:  # noqa: D106  (Django REST framework's own word)
        model = Group
        fields = ("id", "name")


class Pages(PageNumberPagination):
    page_size = 2


class GroupViewSet(viewsets.ModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer
    pagination_class = Pages
    authentication_classes = (TokenAuthentication,)
    permission_classes = (DjangoModelPermissionsOrAnonReadOnly,)

    def perform_create(self, serializer: Any) -> None:
        note("rest", "create", sorted(serializer.validated_data))
        super().perform_create(serializer)


router = routers.SimpleRouter()
router.register("groups", GroupViewSet)
