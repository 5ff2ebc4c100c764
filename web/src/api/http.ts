// Requests to the service.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const NO_CONTENT = 204;

async function problem(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => ({}));
  const fields = (body ?? {}) as { code?: string; detail?: string; title?: string };
  const text = fields.detail ?? fields.title ?? `The service answered ${response.status}`;
  return new ApiError(response.status, fields.code ?? "", text);
}

export async function request<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, { headers: { accept: "application/json" }, ...init });
  if (!response.ok) throw await problem(response);
  return (response.status === NO_CONTENT ? undefined : await response.json()) as T;
}

export const send = <T>(method: string, path: string, body?: unknown): Promise<T> =>
  request<T>(path, {
    method,
    headers: { accept: "application/json", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
