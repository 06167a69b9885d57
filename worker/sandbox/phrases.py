"""The sentences of error answers, in the languages the sandbox speaks.

The API answers in the language of the account's owner, so nothing may be decided on this text.
"""

from collections.abc import Mapping

LOCALES = ("en", "pt", "ja")

_Pair = tuple[int, int | None]

# en, pt, ja. A pair without a row is described by its code alone, then by the last row.
_PHRASES: Mapping[_Pair, tuple[str, str, str]] = {
    (1, None): (
        "An unknown error occurred",
        "Ocorreu um erro desconhecido",
        "不明なエラーが発生しました",
    ),
    (2, None): (
        "Service temporarily unavailable",
        "Serviço temporariamente indisponível",
        "サービスは一時的に利用できません",
    ),
    (3, None): (
        "The app does not have the capability to make this call",
        "O aplicativo não tem capacidade para fazer esta chamada",
        "アプリにはこの呼び出しを行う機能がありません",
    ),
    (4, None): (
        "Application request limit reached",
        "Limite de solicitações do aplicativo atingido",
        "アプリのリクエスト制限に達しました",
    ),
    (10, None): (
        "The app does not have permission for this action",
        "O aplicativo não tem permissão para esta ação",
        "アプリにはこのアクションを実行する権限がありません",
    ),
    (10, 2534022): (
        "This message is sent outside of the allowed window",
        "Esta mensagem foi enviada fora da janela permitida",
        "このメッセージは許可された期間外に送信されています",
    ),
    (10, 2018108): (
        "This person cannot receive messages from you right now",
        "Esta pessoa não pode receber mensagens suas no momento",
        "この人は現在あなたからのメッセージを受信できません",
    ),
    (100, None): (
        "Invalid parameter",
        "Parâmetro inválido",
        "パラメータが無効です",
    ),
    (100, 33): (
        "Unsupported request: the object does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation",
        "Solicitação sem suporte: o objeto não existe, não pode ser carregado por falta de "
        "permissões ou não permite esta operação",
        "サポートされていないリクエストです。オブジェクトが存在しないか、権限がないため読み込めないか、"
        "この操作に対応していません",
    ),
    (100, 2018014): (
        "A message and a sender action cannot be sent together",
        "Uma mensagem e uma ação do remetente não podem ser enviadas juntas",
        "メッセージと送信者アクションを同時に送信することはできません",
    ),
    (100, 2018015): (
        "A message or a sender action is required",
        "É necessária uma mensagem ou uma ação do remetente",
        "メッセージまたは送信者アクションが必要です",
    ),
    (100, 2018034): (
        "The message must not be empty",
        "A mensagem não pode estar vazia",
        "メッセージを空にすることはできません",
    ),
    (100, 2018040): (
        "The payload of a postback button must not be empty",
        "O payload de um botão de postback não pode estar vazio",
        "ポストバックボタンのペイロードを空にすることはできません",
    ),
    (100, 2018041): (
        "The URL must not be empty",
        "A URL não pode estar vazia",
        "URLを空にすることはできません",
    ),
    (100, 2018053): (
        "The title of a button must not be empty",
        "O título de um botão não pode estar vazio",
        "ボタンのタイトルを空にすることはできません",
    ),
    (100, 2018047): (
        "The attachment could not be used: its type does not match its file",
        "Não foi possível usar o anexo: o tipo não corresponde ao arquivo",
        "添付ファイルを使用できません。種類がファイルと一致しません",
    ),
    (100, 2018008): (
        "The attachment could not be fetched from its URL",
        "Não foi possível buscar o anexo na URL",
        "添付ファイルをURLから取得できませんでした",
    ),
    (100, 2018276): (
        "Messages cannot be tagged HUMAN_AGENT without prior approval",
        "Não é possível marcar mensagens com HUMAN_AGENT sem aprovação prévia",
        "事前の承認なしにHUMAN_AGENTタグを使用することはできません",
    ),
    (100, 2534014): (
        "No matching Instagram user",
        "Nenhum usuário do Instagram correspondente",
        "一致するInstagramユーザーが見つかりません",
    ),
    (100, 2534015): (
        "The message data is invalid for this kind of message",
        "Os dados da mensagem são inválidos para este tipo de mensagem",
        "この種類のメッセージに対してメッセージデータが無効です",
    ),
    (100, 2534025): (
        "The comment is invalid for a private reply",
        "O comentário é inválido para uma resposta privada",
        "このコメントには非公開で返信できません",
    ),
    (190, None): (
        "The access token is invalid",
        "O token de acesso é inválido",
        "アクセストークンが無効です",
    ),
    (190, 463): (
        "The session has expired",
        "A sessão expirou",
        "セッションの有効期限が切れました",
    ),
    (368, None): (
        "The action is blocked for a policy violation",
        "A ação está bloqueada por violação de política",
        "ポリシー違反のためアクションがブロックされています",
    ),
    (551, None): (
        "This person isn't available right now",
        "Esta pessoa não está disponível no momento",
        "この人は現在対応できません",
    ),
    (613, None): (
        "Calls to this API have exceeded the rate limit",
        "As chamadas a esta API excederam o limite de taxa",
        "このAPIの呼び出しがレート制限を超えました",
    ),
    (80002, None): (
        "There have been too many calls to this Instagram account",
        "Houve muitas chamadas para esta conta do Instagram",
        "このInstagramアカウントへの呼び出しが多すぎます",
    ),
    (2500, None): (
        "Unknown path components",
        "Componentes de caminho desconhecidos",
        "不明なパスコンポーネントです",
    ),
    (9000001, None): (
        "The message has been deleted or does not exist",
        "A mensagem foi excluída ou não existe",
        "メッセージは削除されたか、存在しません",
    ),
}

_OTHER = (
    "The request could not be completed",
    "Não foi possível concluir a solicitação",
    "リクエストを完了できませんでした",
)


def phrase(code: int, subcode: int | None, *, locale: str) -> str:
    """Say what the pair means; `locale` is one of LOCALES."""
    row = _PHRASES.get((code, subcode)) or _PHRASES.get((code, None)) or _OTHER
    return row[LOCALES.index(locale)]
