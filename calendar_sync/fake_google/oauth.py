"""The OAuth 2.0 endpoints `/token` and `/revoke`.

In: form requests as google-auth sends them.
Out: access tokens for refresh tokens; OAuthError otherwise.
Never: a user's consent, or a check of the client's secret: any ID and secret will do.

Source: RFC 6749, 5.2 and 6; RFC 7009; Google Identity guide "Using OAuth 2.0 for web server applications".
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from calendar_sync.fake_google.grants import Grants
from calendar_sync.fake_google.messages import ApiError, Request, Response
from calendar_sync.fake_google.records import Account

SCOPE = "https://www.googleapis.com/auth/calendar"


class OAuthError(ApiError):
    """An error of these endpoints, whose body differs from the API's: `error` and `error_description`."""

    @classmethod
    def like(cls, error: ApiError) -> OAuthError:
        """The same status, reason and headers in this form."""
        return cls(error.status, error.reason, error.message, headers=error.headers)

    def response(self) -> Response:
        """The error body of RFC 6749, 5.2."""
        return Response(self.status, {"error": self.reason, "error_description": self.message}, self.headers)


def account_of(request: Request, grants: Grants) -> Account | None:
    """Whose token a request is about; None when it names none that is known."""
    form = _form(request)
    return grants.owner_of(form.get("refresh_token") or form.get("token") or "")


def token(request: Request, grants: Grants) -> Response:
    """POST /token with grant_type `refresh_token`: a new access token."""
    form = _form(request)
    grant_type = form.get("grant_type", "")
    if grant_type != "refresh_token":
        raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")
    for name in ("client_id", "client_secret", "refresh_token"):
        if not form.get(name):
            raise OAuthError(400, "invalid_request", f"Missing required parameter: {name}")
    account = grants.owner_of(form["refresh_token"])
    if account is None or account.refresh_token != form["refresh_token"]:
        raise OAuthError(400, "invalid_grant", "Bad Request")
    if grants.is_revoked(account):
        raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
    return Response(
        200,
        {
            "access_token": grants.issue(account),
            "expires_in": int(grants.lifetime_s),
            "scope": SCOPE,
            "token_type": "Bearer",
        },
    )


def revoke(request: Request, grants: Grants) -> Response:
    """POST /revoke: an access or refresh token takes all tokens of its account along."""
    account = account_of(request, grants)
    if account is None or grants.is_revoked(account):
        raise OAuthError(400, "invalid_token", "Token expired or revoked")
    grants.revoke(account)
    return Response(200, {})


def _form(request: Request) -> dict[str, str]:
    return {**request.query, **dict(parse_qsl(request.body.decode("utf-8", "replace")))}
